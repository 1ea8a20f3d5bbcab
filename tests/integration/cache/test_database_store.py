"""The store in PostgreSQL: an answer is as old there as it is."""

import threading
import time

import psycopg

from app.cache.store import Entry
from tests.integration.cache.replicas import Replica, eventually

WAITS = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'millrace.cache'::regclass"


def test_an_answer_that_waited_to_be_kept_is_as_old_as_that(
    one: Replica, owner: psycopg.Connection
) -> None:
    store = one.cache.stores.database
    [snapshot] = owner.execute("SELECT pg_current_snapshot()::text").fetchone() or ("",)
    entry = Entry("k", b"value", ("t",), time.monotonic(), 0.0, snapshot, None)
    keeping = threading.Thread(target=store.put, args=[entry])
    with owner.transaction():
        owner.execute("LOCK TABLE millrace.cache")
        keeping.start()
        eventually(lambda: owner.execute(WAITS).fetchone() is not None)
        since = time.monotonic()
        eventually(lambda: time.monotonic() - since > 0.3)
    keeping.join(30)
    found = store.enter("k", oldest_s=1000.0)
    assert found.what == "hit"
    assert found.age_s >= 0.3

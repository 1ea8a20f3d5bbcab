"""What is seen of the load of a database."""

import threading
from contextlib import suppress

import psycopg
import pytest

from db.reader import reader_url
from db.settings import DatabaseSettings
from tests.integration.app.conftest import wait_until
from tests.integration.tables.conftest import Bench
from worker.tables.snapshot import load_of, one_snapshot

pytestmark = pytest.mark.parametrize("connections", [2], indirect=True)


def test_statements_of_others_are_counted_within_one_transaction(
    bench: Bench, database_url: str
) -> None:
    url = reader_url(database_url, DatabaseSettings(url=database_url).reader_role)
    with one_snapshot(bench.reader, 2) as (one, _), psycopg.connect(url) as other:
        wait_until(lambda: load_of(one) == 0, "nobody asks, as those who connect do")
        busy = threading.Thread(target=_sleep, args=[other])
        busy.start()
        wait_until(lambda: load_of(one) == 1, "it is seen")
        other.cancel_safe()
        busy.join()
        wait_until(lambda: load_of(one) == 0, "it is over")


def _sleep(connection: psycopg.Connection) -> None:
    with suppress(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(60)")


def test_all_connections_see_the_same_rows(bench: Bench) -> None:
    bench.sql("CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
    bench.tables("t")
    with one_snapshot(bench.reader, 3) as connections:
        bench.sql("INSERT INTO t VALUES (2)")
        assert len(connections) == 3
        for connection in connections:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == ("1",)

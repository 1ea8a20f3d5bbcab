"""Answers that are computed before somebody asks."""

import time

import psycopg
import pytest

from tests.integration.cache.replicas import PATIENT, Replica, eventually

SQL = "SELECT sum(n) FROM t"
TTL_S, AGE_S = 300.0, 270.0


@pytest.mark.parametrize("cache_settings", [PATIENT.model_copy(update={"cache_ttl_s": TTL_S})])
def test_an_answer_that_is_asked_for_often_is_renewed_before_it_is_too_old(
    one: Replica, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:  # so that it is kept as one of some time ago
        patched.setattr(one.cache.answers, "_monotonic", lambda: time.monotonic() - AGE_S)
        assert one.origin(SQL) == "miss"
    owner.execute("INSERT INTO t VALUES (3, 70)")
    origins = set()

    def is_new() -> bool:
        found = one.ask(SQL)
        origins.add(found.status.origin)
        return found.answer.rows == [("100",)]

    eventually(is_new)
    assert origins == {"hit"}


def test_the_hottest_queries_are_computed_after_an_invalidation(
    one: Replica, other: Replica
) -> None:
    for _ in range(3):
        one.origin(SQL)
    one.cache.stores.invalidate(("t",))
    one.cache.background._settings = PATIENT
    one.cache.background.warm()
    eventually(lambda: one.service.runs == 2)
    eventually(lambda: other.origin(SQL) == "hit")
    assert other.service.runs == 0

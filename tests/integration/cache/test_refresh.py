"""Answers that are computed before somebody asks."""

from collections.abc import Iterator

import psycopg
import pytest

from app.cache.settings import CacheSettings
from tests.integration.cache.replicas import Replica, eventually, replica

SQL = "SELECT sum(n) FROM t"


@pytest.fixture
def brief(tables_url: str, redis_url: str) -> Iterator[Replica]:
    """A replica whose answers age soon."""
    settings = CacheSettings(cache_ttl_s=2.0, cache_redis_timeout_s=1.0)
    with replica(tables_url, redis_url, settings) as made:
        yield made


def test_an_answer_that_is_asked_for_often_is_renewed_before_it_is_too_old(
    brief: Replica, owner: psycopg.Connection
) -> None:
    assert brief.origin(SQL) == "miss"
    owner.execute("INSERT INTO t VALUES (3, 70)")
    origins = set()

    def is_new() -> bool:
        found = brief.ask(SQL)
        origins.add(found.status.origin)
        return found.answer.rows == [("100",)]

    eventually(is_new)
    assert origins == {"hit"}


def test_the_hottest_queries_are_computed_after_an_invalidation(
    one: Replica, other: Replica
) -> None:
    for _ in range(3):
        one.origin(SQL)
    eventually(lambda: not one.cache.stores.redis._client.exists("millrace:cache:claim:warming") or
               one.cache.stores.redis._client.delete("millrace:cache:claim:warming"))  # fmt: skip
    one.cache.stores.invalidate(("t",))
    one.cache.background.warm()
    eventually(lambda: one.service.runs == 2)
    eventually(lambda: other.origin(SQL) == "hit")
    assert other.service.runs == 0

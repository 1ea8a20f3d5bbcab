"""What is invalidated is not given again, in either store."""

import threading

import psycopg
import pytest

from app.cache.stores import Mode
from tests.integration.cache.replicas import Replica, eventually

T, S = "SELECT sum(n) FROM t", "SELECT count(*) FROM s"


def use(mode: Mode, *replicas: Replica) -> None:
    """Let the replicas use this store, whatever works."""
    for replica in replicas:
        stores = replica.cache.stores
        stores._change = lambda *_: None  # type: ignore[method-assign]
        stores._mode = mode


@pytest.mark.parametrize("mode", ["redis", "database"])
def test_one_table_is_invalidated_for_all_replicas(
    one: Replica, other: Replica, owner: psycopg.Connection, mode: Mode
) -> None:
    use(mode, one, other)
    for sql in (T, S):
        assert [one.origin(sql), other.origin(sql)] == ["miss", "hit"]
    owner.execute("INSERT INTO t VALUES (3, 70)")
    assert one.cache.stores.invalidate(("t",))
    assert other.ask(T).answer.rows == [("100",)]
    assert [one.origin(sql) for sql in (T, S)] == ["hit", "hit"]
    one.cache.stores.invalidate(None)
    assert [other.origin(sql) for sql in (T, S)] == ["miss", "miss"]


@pytest.mark.parametrize("mode", ["redis", "database"])
def test_parents_and_children_are_invalidated_with_each_other(one: Replica, mode: Mode) -> None:
    use(mode, one)
    for asked, table in (("parent", "child"), ("child", "parent")):
        sql = f"SELECT count(*) FROM {asked}"
        assert [one.origin(sql), one.origin(sql)] == ["miss", "hit"]
        one.cache.stores.invalidate((table,))
        assert one.origin(sql) == "miss"


@pytest.mark.parametrize("mode", ["redis", "database"])
def test_an_answer_that_was_under_way_is_not_kept(
    one: Replica, other: Replica, owner: psycopg.Connection, mode: Mode
) -> None:
    use(mode, one, other)
    run = one.service.run
    ran, may_end = threading.Event(), threading.Event()

    def run_and_wait(*arguments: object) -> object:
        answer = run(*arguments)  # type: ignore[arg-type]
        ran.set()
        may_end.wait(30)
        return answer

    one.service.run = run_and_wait  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=lambda: one.ask(T))
    thread.start()
    ran.wait(30)
    owner.execute("INSERT INTO t VALUES (3, 70)")
    other.cache.stores.invalidate(("t",))
    may_end.set()
    thread.join(30)
    found = other.ask(T)
    assert (found.status.origin, found.answer.rows) == ("miss", [("100",)])


def test_what_redis_missed_is_told_when_it_is_back(one: Replica, other: Replica) -> None:
    use("redis", one, other)
    for stores in (one.cache.stores, other.cache.stores):
        # they look every second by themselves, which may be before the other one is asked
        stores._catch_up = lambda: None  # type: ignore[method-assign]
    one.ask(T)
    one.cache.stores.database.note_missed()
    assert other.origin(T) == "hit"
    del one.cache.stores._catch_up  # the class's own again
    one.cache.stores.look()
    assert other.origin(T) == "miss"
    assert one.cache.stores.database.missed() is None


def test_an_answer_computed_before_counts_in_no_copy(
    one: Replica, owner: psycopg.Connection
) -> None:
    """A copy for PostgreSQL may be written later than an invalidation."""
    one.ask(T)
    one.ask(T)
    one.ask(T)  # asked for often: copied
    eventually(lambda: one.cache.stores.database.size().entries)
    use("database", one)
    assert one.origin(T) == "hit"
    one.cache.stores.invalidate(("s",))
    assert one.origin(T) == "hit"
    one.cache.stores.invalidate(("t",))
    assert one.origin(T) == "miss"

"""Splits are kept as texts, within bounds, and each for its own types."""

import sys
import threading
from contextlib import suppress

import pytest

from query.aggregates import CannotSplit
from query.catalog import Catalog, Table
from query.prepared import SplitCache
from query.split import SplitPlan
from query.statement import Parser, TableName
from query.types import FLOAT8, INT4, INT8, TypeFact

BIGINT = TypeFact(INT8, -1, "bigint", "bigint")
DOUBLE = TypeFact(FLOAT8, -1, "double precision", "double precision")
CATALOG = Catalog({TableName(None, "t"): Table(1, "public", "t", "r", True, (8,), {"n": INT4})})


def prepare(cache: SplitCache, sql: str) -> SplitPlan:
    statement = Parser(cache_size=1, max_length=10_000, max_depth=50).parse(sql)
    return cache.prepare(statement, ("a",), (), CATALOG).finish([BIGINT])


def test_a_kept_split_gives_the_plan_of_a_new_one() -> None:
    cache = SplitCache(5)
    first = prepare(cache, "SELECT sum(n) FROM t")
    assert prepare(cache, "SELECT sum(n) FROM t") is first
    assert prepare(SplitCache(5), "SELECT sum(n) FROM t") == first


def test_other_types_of_the_partials_have_their_own_plan() -> None:
    statement = Parser(cache_size=1, max_length=100, max_depth=50).parse("SELECT sum(n) FROM t")
    cache = SplitCache(5)
    prepared = cache.prepare(statement, ("a",), (), CATALOG)
    plan = prepared.finish([BIGINT])
    with pytest.raises(CannotSplit, match="floats"):
        cache.prepare(statement, ("a",), (), CATALOG).finish([DOUBLE])
    assert cache.prepare(statement, ("a",), (), CATALOG).finish([BIGINT]) == plan


def test_reasons_are_kept_too() -> None:
    cache = SplitCache(5)
    for _ in range(2):
        with pytest.raises(CannotSplit, match="LIMIT without ORDER BY"):
            prepare(cache, "SELECT n FROM t LIMIT 3")


@pytest.mark.parametrize(("size", "most_kept"), [(3, 10**9), (100, 1500)])
def test_the_oldest_are_dropped(size: int, most_kept: int) -> None:
    cache = SplitCache(size, most_kept)
    plans = [prepare(cache, f"SELECT sum(n + {i}) FROM t") for i in range(10)]
    assert prepare(cache, "SELECT sum(n + 9) FROM t") is plans[9]
    assert prepare(cache, "SELECT sum(n + 0) FROM t") is not plans[0]


def test_what_alone_is_too_large_is_not_kept() -> None:
    cache = SplitCache(5, 10)
    first = prepare(cache, "SELECT sum(n) FROM t")
    again = prepare(cache, "SELECT sum(n) FROM t")
    assert again == first
    assert again is not first


def test_many_threads_keep_and_drop_at_once() -> None:
    cache = SplitCache(50)
    for i in range(50):
        prepare(cache, f"SELECT sum(n + {i}) FROM t")
    kept = dict(cache._kept)
    failures: list[BaseException] = []

    def keep_and_drop() -> None:
        try:
            for _ in range(40):
                for key, one in kept.items():
                    cache._kept[key] = one
                    cache._drop_oldest()
                    with suppress(KeyError):
                        cache._kept.popitem(last=False)
        except RuntimeError as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=keep_and_drop) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []

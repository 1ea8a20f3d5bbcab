"""The faster way is taken, once it is known which that is."""

from collections import Counter

import pytest

from app.queries.columnar.times import AGAIN_EARLY, MEMORY_S, Times
from query.statement import Parser, Statement


class Clock:
    """Stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def statement(sql: str = "SELECT count(*) FROM t WHERE n > 5") -> Statement:
    return Parser(cache_size=1, max_length=1000, max_depth=9).parse(sql)


def way(times: Times, *, cost: float = 10_000.0, rows: int = 1000, sql: str | None = None) -> str:
    return times.choose(statement(sql) if sql else statement(), cost=cost, rows=rows).way


def test_what_was_never_run_is_guessed_by_cost_and_rows() -> None:
    times = Times()
    assert way(times, cost=10_000, rows=1000) == "columnar"
    assert way(times, cost=10, rows=10_000_000, sql="SELECT 1 FROM t") == "postgresql"


def test_what_was_measured_overrules_the_guess_also_for_other_constants() -> None:
    times = Times()
    times.took(statement(), "columnar", 500.0, cost=10_000, rows=1000)
    times.took(statement(), "postgresql", 90.0, cost=10_000, rows=0)
    assert way(times) == "postgresql"
    assert way(times, sql="SELECT count(*) FROM t WHERE n > 77") != "columnar" or 2 in AGAIN_EARLY
    assert way(times, sql="SELECT max(n) FROM t") == "columnar"


def test_the_slower_way_is_tried_again_early_and_then_seldom_unless_it_is_far_slower() -> None:
    times = Times()
    times.took(statement(), "columnar", 150.0, cost=10_000, rows=1000)
    times.took(statement(), "postgresql", 90.0, cost=10_000, rows=0)
    assert Counter(way(times) for _ in range(100)) == {"postgresql": 94, "columnar": 6}
    times.took(statement("SELECT 2 FROM t"), "columnar", 900.0, cost=10_000, rows=1000)
    times.took(statement("SELECT 2 FROM t"), "postgresql", 90.0, cost=10_000, rows=0)
    assert {way(times, sql="SELECT 2 FROM t") for _ in range(100)} == {"postgresql"}


def test_a_cold_first_time_is_soon_forgotten() -> None:
    times = Times()
    times.took(statement(), "postgresql", 100.0, cost=10_000, rows=0)
    times.took(statement(), "columnar", 700.0, cost=10_000, rows=1000)
    for _ in range(5):
        times.took(statement(), "columnar", 20.0, cost=10_000, rows=1000)
    assert way(times) == "columnar"


@pytest.mark.parametrize(("later_s", "settled"), [(MEMORY_S - 1, True), (MEMORY_S + 1, False)])
def test_what_failed_over_segments_is_left_alone_for_a_while(later_s: float, settled: bool) -> None:
    clock = Clock()
    times = Times(clock)
    times.failed(statement(), "more than 50000 partial rows")
    clock.now = later_s
    found = times.settled(statement())
    assert (found is not None) is settled
    assert found is None or "more than 50000 partial rows" in found


def test_a_small_query_that_postgresql_answers_faster_is_settled_before_planning() -> None:
    times = Times()
    for ms, expected in ((5.0, True), (50.0, False)):
        sql = f"SELECT {'min' if expected else 'max'}(n) FROM t"
        times.took(statement(sql), "postgresql", ms, cost=10, rows=0)
        times.took(statement(sql), "columnar", 2 * ms, cost=10, rows=10)
        assert (times.settled(statement(sql)) is not None) is expected

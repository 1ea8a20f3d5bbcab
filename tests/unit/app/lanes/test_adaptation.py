"""The limit of queries follows how much they slow one another down."""

import random

import pytest

from app.lanes.baselines import Baselines
from app.lanes.gradient import GradientLimit


def settled(slowdown_at: float, *, floor: int = 2, ceiling: int = 64) -> int:
    """Return the limit after many requests; `slowdown_at`: how many run without loss."""
    limit = GradientLimit(floor=floor, ceiling=ceiling, tolerance=2.0)
    chance = random.Random(1)
    for _ in range(3000):
        busy = limit.current
        limit.observe(max(1.0, busy / slowdown_at) * chance.uniform(0.8, 1.25), busy)
    return limit.current


def test_what_is_not_slowed_down_gets_the_whole_limit() -> None:
    assert settled(slowdown_at=1000) == 64


@pytest.mark.parametrize("processors", [2, 4, 8])
def test_what_shares_processors_keeps_them_busy_and_no_more(processors: int) -> None:
    assert processors <= settled(slowdown_at=processors) <= 5 * processors


def test_the_limit_never_leaves_its_bounds() -> None:
    assert settled(slowdown_at=0.1, floor=3) == 3


def test_a_limit_that_is_not_used_does_not_rise() -> None:
    limit = GradientLimit(floor=1, ceiling=64, tolerance=2.0)
    for _ in range(1000):
        limit.observe(50.0, limit.current)
    low = limit.current
    for _ in range(1000):
        limit.observe(1.0, 0)
    assert limit.current == low
    for _ in range(1000):
        limit.observe(1.0, limit.current)
    assert limit.current == 64


def test_queries_are_compared_with_those_of_the_same_text_but_for_literals() -> None:
    times = Baselines()
    assert times.slowdown("SELECT f(1, 'a''b')", 0.1, 0.0, alone=True) is None
    assert times.slowdown("SELECT f(22, 'c')", 0.1, 0.0, alone=True) == pytest.approx(1.0)
    assert times.slowdown("SELECT g(1)", 10.0, 0.0, alone=True) is None
    assert times.slowdown("SELECT g(2)", 10.0, 0.0, alone=False) == pytest.approx(1.0)
    assert times.slowdown("SELECT f(3, '')", 0.4, 0.0, alone=False) == pytest.approx(4.0)


def test_a_text_whose_times_vary_alone_is_not_taken_for_slowed_down() -> None:
    times, chance = Baselines(), random.Random(1)
    for _ in range(200):
        times.slowdown("SELECT 1", chance.choice([0.01, 1.0]), 0.0, alone=True)
    total = 1.0
    for _ in range(400):
        found = times.slowdown("SELECT 1", chance.choice([0.01, 1.0]), 0.0, alone=False)
        total *= (found or 1.0) ** (1 / 400)
    assert 0.5 < total < 4.0


def test_a_load_that_stays_does_not_soon_pass_for_the_normal_state() -> None:
    times = Baselines(settle_s=300.0)
    times.slowdown("SELECT 1", 0.01, 0.0, alone=True)
    for second in range(60):
        found = times.slowdown("SELECT 1", 0.1, float(second), alone=False)
    assert found is not None
    assert found > 8.0
    for second in range(60, 1200):
        found = times.slowdown("SELECT 1", 0.1, float(second), alone=False)
    assert found == pytest.approx(1.0, abs=0.1)


def test_of_many_texts_the_latest_are_remembered() -> None:
    times = Baselines(most=2)
    for name in "abca":
        assert times.slowdown(f"SELECT {name}", 1.0, 0.0, alone=True) is None

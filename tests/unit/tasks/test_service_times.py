"""Means and quantiles of recent times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.service_times import ENOUGH, STEP, MeanTime, Spread

times = st.lists(st.floats(0.001, 1000), min_size=int(ENOUGH), max_size=200)


class Clock:
    """A monotonic clock set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(times, st.floats(0.01, 1))
def test_a_quantile_is_exact_to_a_step(seconds: list[float], share: float) -> None:
    spread = Spread(Clock())
    for one in seconds:
        spread.add(one)
    found = spread.quantile_s(share)
    assert found is not None
    ordered = sorted(seconds)
    exact = next(
        one for place, one in enumerate(ordered, 1) if place >= share * len(ordered) * (1 - 1e-9)
    )  # fmt: skip
    assert exact / (1 + 1e-9) <= found <= exact * STEP * (1 + 1e-9)


def test_too_few_times_tell_no_quantile_nor_do_old_ones() -> None:
    clock = Clock()
    spread = Spread(clock)
    for _ in range(int(ENOUGH) - 1):
        spread.add(1.0)
    assert spread.quantile_s(0.99) is None
    spread.add(1.0)
    assert spread.quantile_s(0.99) is not None
    clock.now += 60
    assert spread.quantile_s(0.99) is None


def test_newer_times_soon_outweigh_older_ones() -> None:
    clock = Clock()
    mean, spread = MeanTime(clock), Spread(clock)
    for seconds in (10.0, 0.1):
        for _ in range(100):
            mean.add(seconds)
            spread.add(seconds)
        clock.now += 300
    for _ in range(30):
        mean.add(0.1)
        spread.add(0.1)
    assert mean.mean_s([], 2) == pytest.approx(0.1, rel=0.01)
    assert spread.quantile_s(0.99) == pytest.approx(0.1, rel=0.25)


def test_a_mean_outlives_a_quiet_year() -> None:
    clock = Clock()
    mean = MeanTime(clock)
    assert mean.mean_s([], 2) is None
    mean.add(3.0)
    clock.now += 365 * 86400
    assert mean.mean_s([], 2) == pytest.approx(3.0)
    mean.add(1.0)
    assert mean.mean_s([], 2) == pytest.approx(1.0)


def test_tasks_that_run_longer_than_usual_are_counted_before_they_end() -> None:
    mean = MeanTime(Clock())
    assert mean.mean_s([4.0], 2) == 4.0
    mean.add(1.0)
    assert mean.mean_s([0.5], 2) == 1.0
    assert mean.mean_s([0.5, 9.0], 2) == 5.0

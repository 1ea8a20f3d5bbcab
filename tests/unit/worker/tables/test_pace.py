"""Partitions of about half a second, and pauses while others work."""

import pytest

from jobs.errors import TaskCancelled
from worker.tables.pace import MOST_PAUSED_S, Pace, Throttle
from worker.tables.sizes import Sizes

SIZES = Sizes(leaf=512, first=32_768, most=1_048_576, target_s=0.5)


@pytest.mark.parametrize("row_s", [1e-6, 4e-6, 1e-4])
def test_partitions_come_to_take_half_a_second(row_s: float) -> None:
    pace = Pace(SIZES)
    for _ in range(6):
        pace.measured(pace.rows, pace.rows * row_s)
    assert pace.rows * row_s == pytest.approx(0.5, rel=0.1)
    assert pace.rows % SIZES.leaf == 0


def test_a_partition_is_never_of_no_rows_and_never_of_too_many() -> None:
    pace = Pace(SIZES)
    for _ in range(20):
        pace.measured(pace.rows, 1000.0)
    assert pace.rows == SIZES.leaf
    for _ in range(20):
        pace.measured(pace.rows, 0.0)
    assert pace.rows == SIZES.most


def test_one_quick_partition_does_not_make_the_next_a_huge_one() -> None:
    pace = Pace(SIZES)
    pace.measured(pace.rows, 0.0001)
    assert pace.rows == 4 * SIZES.first


class Clock:
    """Notes pauses instead of making them."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


def test_nothing_waits_while_the_database_is_free() -> None:
    clock = Clock()
    throttle = Throttle(2, clock.pause)
    for _ in range(10):
        throttle.wait(lambda: 2, 100_000, 0.5)
    assert clock.pauses == []


def test_it_waits_until_the_others_are_done() -> None:
    clock = Clock()
    throttle = Throttle(2, clock.pause)
    throttle.wait(lambda: 3 if len(clock.pauses) < 4 else 0, 100_000, 0.5)
    assert clock.pauses == [0.5, 1.0, 2.0, 4.0]
    assert throttle.paused_s == 7.5


def test_a_database_that_is_always_busy_slows_the_job_and_does_not_stop_it() -> None:
    clock = Clock()
    Throttle(0, clock.pause).wait(lambda: 100, 100_000, 0.5)
    assert MOST_PAUSED_S <= sum(clock.pauses) < MOST_PAUSED_S + 5


def test_rows_that_take_longer_than_before_leave_half_of_the_time_to_others() -> None:
    clock = Clock()
    throttle = Throttle(100, clock.pause)
    throttle.wait(lambda: 0, 100_000, 0.5)
    throttle.wait(lambda: 0, 100_000, 1.4)
    assert clock.pauses == []
    throttle.wait(lambda: 0, 100_000, 1.6)
    assert clock.pauses == [1.6]


def test_a_task_that_is_not_wanted_ends_its_waiting() -> None:
    def stopped(_seconds: float) -> None:
        raise TaskCancelled

    with pytest.raises(TaskCancelled):
        Throttle(0, stopped).wait(lambda: 1, 1000, 0.5)

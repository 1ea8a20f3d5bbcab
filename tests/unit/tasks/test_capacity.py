"""Capacity is known without asking, and a Redis that is away is asked once a second."""

import threading

import pytest

from tasks.capacity import Capacity, CapacityView, capacity_of
from tasks.errors import QueueUnavailable
from tasks.heartbeat import Roll, WorkerRecord


def worker(slots: int, *, draining: bool = False) -> WorkerRecord:
    return WorkerRecord("w", "h", 1, slots, 0, 0.0, 0, 0.0, draining, ("query",))


def test_draining_workers_are_no_capacity() -> None:
    roll = Roll((worker(2), worker(3), worker(7, draining=True)), queue_length=1)
    assert capacity_of(roll) == Capacity(workers=2, slots=5, free_slots=4)
    assert capacity_of(Roll((worker(2),), queue_length=9)).free_slots == 0


def test_the_roll_is_read_twice_a_second_at_most() -> None:
    now, reads = [0.0], [0]

    def read() -> Roll:
        reads[0] += 1
        return Roll((worker(reads[0]),), 0)

    view = CapacityView(read, lambda: now[0])
    assert [view.capacity().slots for _ in range(5)] == [1] * 5
    now[0] = 0.6
    assert [view.capacity().slots for _ in range(5)] == [2] * 5


def test_while_redis_is_away_one_caller_a_second_finds_out() -> None:
    now, reads = [0.0], [0]

    def read() -> Roll:
        reads[0] += 1
        raise QueueUnavailable("gone")

    view = CapacityView(read, lambda: now[0])
    for moment, expected in ((0.0, 1), (0.9, 1), (1.1, 2)):
        now[0] = moment
        for _ in range(5):
            with pytest.raises(QueueUnavailable, match="gone"):
                view.capacity()
        assert reads == [expected]


def test_nobody_waits_for_another_callers_refresh() -> None:
    now = [0.0]
    reading, go_on = threading.Event(), threading.Event()
    rolls = iter([Roll((worker(1),), 0), Roll((worker(2),), 0)])

    def read() -> Roll:
        if now[0]:
            reading.set()
            go_on.wait(20)
        return next(rolls)

    view = CapacityView(read, lambda: now[0])
    assert view.capacity().slots == 1
    now[0] = 1.0
    refreshing = threading.Thread(target=view.capacity)
    refreshing.start()
    assert reading.wait(20)
    assert view.capacity().slots == 1
    go_on.set()
    refreshing.join()
    assert view.capacity().slots == 2

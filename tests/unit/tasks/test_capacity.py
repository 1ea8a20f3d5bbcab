"""Capacity is known without asking, and a Redis that is away is asked once a second."""

import threading

import pytest

from tasks.capacity import Capacity, CapacityView, capacity_of
from tasks.errors import QueueUnavailable
from tasks.heartbeat import LaneLoad, Roll, WorkerRecord
from tasks.lanes import PASSWORD


def worker(
    slots: int, *, draining: bool = False, mean_s: float | None = None, passwords: int = 0
) -> WorkerRecord:
    lanes = ("query", "password") if passwords else ("query",)
    loads = {"query": LaneLoad(slots, mean_s), "password": LaneLoad(passwords, 0.5)}
    return WorkerRecord("w", "h", 1, slots, 0, 0.0, 0, 0.0, draining, lanes, loads)


def test_draining_workers_are_no_capacity() -> None:
    roll = Roll((worker(2), worker(3), worker(7, draining=True)), queue_length=1)
    assert capacity_of(roll) == Capacity(workers=2, slots=5, free_slots=4, queue_length=1)
    assert capacity_of(Roll((worker(2),), queue_length=9)).free_slots == 0


def test_the_wait_is_estimated_from_what_tasks_take() -> None:
    capacity = capacity_of(Roll((worker(2, mean_s=0.5), worker(2, mean_s=1.0)), queue_length=16))
    assert capacity.rate == 6.0
    assert capacity.wait_s(3) == 0.0  # a slot is free
    assert capacity.wait_s(4) == pytest.approx(1 / 6)
    assert capacity.wait_s(15) == 2.0
    assert capacity.most_ahead(2.0) == 15
    assert capacity.wait_s(capacity.most_ahead(2.0) or 0) <= 2.0


def test_workers_that_have_had_no_task_count_like_the_others() -> None:
    assert capacity_of(Roll((worker(2, mean_s=0.5), worker(6)), 0)).rate == 16.0


def test_before_the_first_task_nobody_can_tell() -> None:
    capacity = capacity_of(Roll((worker(2),), 99))
    assert (capacity.rate, capacity.most_ahead(1.0), capacity.wait_s(99)) == (None, None, 0.0)


def test_each_lane_has_a_capacity_of_its_own() -> None:
    roll = Roll((worker(8, passwords=1), worker(8), worker(8, passwords=2)), 0)
    assert capacity_of(roll, PASSWORD) == Capacity(2, 3, 3, rate=6.0)


def test_an_older_workers_record_tells_its_slots() -> None:
    old = WorkerRecord.decode(
        b'{"name":"w","host":"h","pid":1,"slots":3,"busy":0,"cpu_percent":0.0,"rss_bytes":0,'
        b'"started_at":0.0,"draining":false,"lanes":["query","password"]}'
    )
    assert capacity_of(Roll((old,), 0)) == Capacity(1, 3, 3)
    assert capacity_of(Roll((old,), 0), PASSWORD) == Capacity(1, 1, 1)


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

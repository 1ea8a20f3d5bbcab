"""A lease counts down and passes one cancellation on, while it may."""

import threading

from tasks.clock import RedisClock
from tasks.lease import Lease, Leases, end
from tasks.message import Task


class Clock:
    """A monotonic clock set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lease(
    clock: Clock, *, budget_ms: int = 5000, age_s: float = 0.0, task_id: str = "1-0"
) -> Lease:
    task = Task(task_id, 0, budget_ms, "", b"")
    return Lease(task, deliveries=1, age_s=age_s, monotonic=clock)


def test_the_time_in_the_queue_counts_against_the_budget() -> None:
    clock = Clock()
    held = lease(clock, age_s=2.0)
    assert held.remaining_s() == 3.0
    clock.now += 4.0
    assert held.remaining_s() == -1.0


def test_a_cancellation_is_passed_on_once() -> None:
    calls: list[int] = []
    held = lease(Clock())
    with held.cancelling(lambda: calls.append(1)):
        assert held.cancel("cancelled")
        assert not held.cancel("lost")
    assert calls == [1]
    assert held.cancel_reason == "cancelled"


def test_a_cancellation_that_came_before_is_passed_on_at_entry() -> None:
    calls: list[int] = []
    held = lease(Clock())
    held.cancel("deadline")
    with held.cancelling(lambda: calls.append(1)):
        assert calls == [1]
    assert calls == [1]


def test_after_its_context_nothing_is_called() -> None:
    calls: list[int] = []
    held = lease(Clock())
    with held.cancelling(lambda: calls.append(1)):
        pass
    held.cancel("cancelled")
    assert calls == []


def test_a_task_is_held_once() -> None:
    leases = Leases()
    first, second = lease(Clock()), lease(Clock())
    assert leases.add(first)
    assert not leases.add(second)
    leases.remove(first)
    assert len(leases) == 0
    assert leases.add(second)


def test_age_is_told_by_rediss_clock_whatever_ours_says() -> None:
    clock = Clock()
    redis_clock = RedisClock(clock)
    assert redis_clock.age_s(10**12) == 0.0
    redis_clock.set(10**12)
    clock.now += 1.5
    assert redis_clock.age_s(10**12 - 500) == 2.0
    assert redis_clock.age_s(10**12 + 60_000) == 0.0


def test_a_handler_that_did_not_hear_is_told_again_until_it_leaves() -> None:
    heard = threading.Event()
    calls: list[int] = []

    def callback() -> None:
        calls.append(1)
        if len(calls) == 3:
            heard.set()

    held = lease(Clock())
    with held.cancelling(callback):
        end(held, "cancelled", pause=lambda _seconds: None)
        assert heard.wait(30)
    assert not held.insist()


def test_waiting_for_a_task_ends_when_one_is_held() -> None:
    leases = Leases()
    assert not leases.await_one(0.0)
    held = lease(Clock())
    leases.add(held)
    assert leases.await_one(0.0)
    leases.remove(held)
    assert not leases.await_one(0.0)

"""How a running task learns that it should end."""

import threading

import pytest

from jobs.context import TaskContext
from jobs.errors import TaskCancelled


def test_a_wanted_task_goes_on() -> None:
    context = TaskContext()
    context.check()
    context.pause(0.0)
    with context.cancelling(lambda: pytest.fail("nobody stopped it")):
        pass


def test_a_stopped_task_is_told_at_each_look_and_the_first_reason_counts() -> None:
    context = TaskContext()
    context.stop("lost")
    context.stop("stopping")
    assert context.stop_reason == "lost"
    for look in (context.check, lambda: context.pause(100.0)):
        with pytest.raises(TaskCancelled):
            look()
    with pytest.raises(TaskCancelled), context.cancelling(lambda: None):
        pass


def test_what_runs_is_called_back_until_it_has_left_and_never_afterwards() -> None:
    context = TaskContext()
    calls = threading.Semaphore(0)
    with context.cancelling(calls.release):
        context.stop("lost", pause=lambda _: None)
        for _ in range(3):  # one that came between two statements would not be noticed
            assert calls.acquire(timeout=10)
    while calls.acquire(blocking=False):
        pass
    context.stop("stopping")
    assert not calls.acquire(timeout=0.05)

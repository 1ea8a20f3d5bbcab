"""A fault is taken back once, as a whole, however often and with whatever luck that is tried."""

import pytest

from cli.faults.fault import Held, UndoFailed, Undoing


class Time:
    """A clock that moves on when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def test_undoing_twice_is_undoing_once() -> None:
    done: list[str] = []
    held = Held("a fault", 1.0, lambda: done.append("undone"))
    held.undo()
    held.undo()
    assert done == ["undone"]


def test_a_step_that_fails_is_tried_again_and_those_before_it_are_not() -> None:
    done: list[str] = []
    time = Time()

    def second() -> None:
        done.append("second")
        if done.count("second") < 3:
            raise OSError("not yet")

    held = Held(
        "a fault", 1.0, lambda: done.append("first"), second, clock=time, pause=time.pause
    )  # fmt: skip
    held.undo()
    assert done == ["first", "second", "second", "second"]


def test_a_fault_that_cannot_be_undone_is_told_and_can_be_tried_again() -> None:
    done: list[str] = []
    time = Time()

    def step() -> None:
        if time.now < 100:
            raise OSError("PostgreSQL is away")
        done.append("undone")

    held = Held("read-only", 1.0, step, limit_s=5.0, clock=time, pause=time.pause)
    with pytest.raises(UndoFailed, match="read-only: not undone: PostgreSQL is away"):
        held.undo()
    assert 5 <= time.now < 6
    time.now = 100
    held.undo()
    assert done == ["undone"]


def test_half_a_fault_is_taken_back_in_the_opposite_order() -> None:
    done: list[str] = []

    def inject() -> None:
        with Undoing() as undoing:
            undoing.later(done.append, "first")
            undoing.later(done.append, "second")
            raise OSError("not possible after all")

    with pytest.raises(OSError, match="after all"):
        inject()
    assert done == ["second", "first"]


def test_a_fault_in_place_stays_until_it_is_undone() -> None:
    done: list[str] = []
    with Undoing() as undoing:
        undoing.later(done.append, "undone")
        held = undoing.held("a fault", 2.0)
    assert (held.description, held.hold_s, done) == ("a fault", 2.0, [])
    held.undo()
    assert done == ["undone"]

"""The circuit breaker: after a few failures, fail at once instead of waiting for a dead server.

pybreaker keeps the states and the count.  Two of its ways don't suit threads: `call()` holds its
lock while the guarded function runs, so that all queries of a process would run one after the
other, and `calling()` lets any number of trial calls through when half open.  So the guarded code
runs outside of pybreaker, behind a gate of our own that admits one trial, and pybreaker's `call()`
is handed only the outcome, which takes microseconds.  Its clock is the wall clock, which jumps;
ours is monotonic and injected.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from types import TracebackType
from typing import Literal

import pybreaker

from db.errors import BreakerOpen

BreakerState = Literal["closed", "open", "half_open"]
Outcome = Literal["success", "failure", "unknown"]
BreakerListener = Callable[[BreakerState, BreakerState, BaseException | None], None]

_STATES: dict[str, BreakerState] = {
    pybreaker.STATE_CLOSED: "closed",
    pybreaker.STATE_OPEN: "open",
    pybreaker.STATE_HALF_OPEN: "half_open",
}


class Breaker:
    """Opens after `failures` failures in a row; one trial call decides when it closes again.

    It stays open for `reset_s` seconds, doubled with each failed trial up to `reset_max_s`, of
    which a random half is taken off, so that many processes don't return all at once.

    `judge` says what an error that leaves a guarded block means: a failure of the guarded server,
    proof that the server works (an error that it reported), or neither.  `listeners` are called
    after each change of state as `(old, new, error)`, outside of the breaker's lock.
    """

    def __init__(
        self,
        judge: Callable[[BaseException], Outcome],
        *,
        failures: int = 5,
        reset_s: float = 1.0,
        reset_max_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        listeners: Sequence[BreakerListener] = (),
    ) -> None:
        self._judge = judge
        self._reset_s = reset_s
        self._reset_max_s = reset_max_s
        self._clock = clock
        self._chance = chance
        self._listeners = list(listeners)
        self._lock = threading.Lock()
        self._circuit = pybreaker.CircuitBreaker(
            fail_max=failures,
            reset_timeout=0,
            state_storage=_ClocklessStorage(pybreaker.STATE_CLOSED),
            throw_new_error_on_trip=False,
        )
        self._generation = 0
        self._trial_runs = False
        self._failed_trials = 0
        self._open_until = 0.0

    @property
    def state(self) -> BreakerState:
        """The state now; an open breaker whose time is over stays open until somebody tries."""
        return _STATES[self._circuit.current_state]

    @property
    def retry_after_s(self) -> float:
        """Seconds until a call has a chance: what remains of being open, else the reset time."""
        with self._lock:
            return self._retry_after()

    def guard(self) -> AbstractContextManager[None]:
        """Return a context manager for one call.

        Entering raises BreakerOpen when the breaker is open, or half open with its trial running.
        Errors leave the block unchanged.
        """
        return _Guard(self._admit, self._settle)

    def _admit(self) -> int:
        with self._lock:
            old = self.state
            if old == "closed":
                return self._generation
            if self._trial_runs or (old == "open" and self._clock() < self._open_until):
                raise BreakerOpen(
                    "PostgreSQL has failed repeatedly and is left alone for a moment.",
                    self._retry_after(),
                )
            if old == "open":
                self._circuit.half_open()
                self._changed()
            self._trial_runs = True
            generation = self._generation
        if old == "open":
            self._notify(old, "half_open", None)
        return generation

    def _settle(self, generation: int, error: BaseException | None) -> None:
        outcome = "success" if error is None else self._judge(error)
        with self._lock:
            if generation != self._generation:
                return  # begun before the last change of state: says nothing about now
            old = self.state
            self._trial_runs = False
            if outcome == "unknown":
                return
            with suppress(_Failed):
                self._circuit.call(_succeed if outcome == "success" else _fail)
            new = self.state
            if new == old:
                return
            self._changed()
            if new == "open":
                self._failed_trials = self._failed_trials + 1 if old == "half_open" else 0
                pause_s = min(self._reset_s * 2.0**self._failed_trials, self._reset_max_s)
                self._open_until = self._clock() + pause_s * (1.0 - self._chance() / 2.0)
        self._notify(old, new, error)

    def _changed(self) -> None:
        self._generation += 1
        self._trial_runs = False

    def _retry_after(self) -> float:
        if self.state == "open":
            return max(0.0, self._open_until - self._clock())
        return self._reset_s

    def _notify(self, old: BreakerState, new: BreakerState, error: BaseException | None) -> None:
        for listener in self._listeners:
            listener(old, new, error)


class _Guard(AbstractContextManager[None]):
    """One admitted call.  A class, as a generator would turn a StopIteration into an error."""

    def __init__(
        self, admit: Callable[[], int], settle: Callable[[int, BaseException | None], None]
    ) -> None:
        self._admit = admit
        self._settle = settle
        self._generation = 0

    def __enter__(self) -> None:
        self._generation = self._admit()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self._settle(self._generation, exc_value)


class _ClocklessStorage(pybreaker.CircuitMemoryStorage):
    """Remembers no opening time: when to try again is decided by the gate, not by pybreaker."""

    @property
    def opened_at(self) -> datetime | None:
        """Return None always: pybreaker then never refuses by its own clock."""
        return None

    @opened_at.setter
    def opened_at(self, moment: datetime) -> None:
        pass


class _Failed(Exception):
    """What pybreaker sees instead of the real error, whose traceback it would lengthen."""


def _succeed() -> None:
    pass


def _fail() -> None:
    raise _Failed

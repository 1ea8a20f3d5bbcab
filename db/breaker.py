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
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Literal

import pybreaker

from db.call_window import CallWindow
from db.errors import BreakerOpen, ByCommand, TooSlow

BreakerState = Literal["closed", "open", "half_open"]
Outcome = Literal["success", "failure", "unknown"]
Mode = Literal["auto", "open", "closed"]
BreakerListener = Callable[[BreakerState, BreakerState, BaseException | None], None]

# of its own, so that nobody who counts on the order of the shared one's numbers is disturbed
_CHANCE = random.Random().random  # noqa: S311 - to spread attempts
_STATES: dict[str, BreakerState] = {
    pybreaker.STATE_CLOSED: "closed",
    pybreaker.STATE_OPEN: "open",
    pybreaker.STATE_HALF_OPEN: "half_open",
}


@dataclass(frozen=True)
class BreakerRules:
    """When a breaker opens, and for how long.  Durations in seconds, shares from 0 to 1.

    After `failures` in a row, or when of at least `min_calls` within `window_s` the share
    `failure_share` failed, or of as many round trips `slow_share` took longer than `slow_s`.

    The row is for little traffic: a process that asks once a second would need a whole window to
    learn that a server is dead.  The shares are for a server that half works, where a success now
    and then ends every row.
    """

    failures: int = 5
    window_s: float = 10.0
    min_calls: int = 10
    failure_share: float = 0.5
    slow_s: float = 1.0
    slow_share: float = 0.5
    reset_s: float = 1.0
    reset_max_s: float = 5.0


class Breaker:
    """Opens by its rules; one trial call decides when it closes again.

    It stays open for `reset_s` seconds, doubled with each failed trial up to `reset_max_s`, of
    which a random half is taken off, so that many processes don't return all at once.

    An operator may hold it open or closed: see `command`.

    `judge` says what an error that leaves a guarded block means: a failure of the guarded server,
    proof that the server works (an error that it reported), or neither.  `listeners` are called
    after each change of state as `(old, new, error)`, outside of the breaker's lock.
    """

    def __init__(
        self,
        judge: Callable[[BaseException], Outcome],
        rules: BreakerRules = BreakerRules(),
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = _CHANCE,
        listeners: Sequence[BreakerListener] = (),
    ) -> None:
        self._judge = judge
        self._rules = rules
        self._window = CallWindow(rules.window_s)
        self._clock = clock
        self._chance = chance
        self._listeners = list(listeners)
        self._lock = threading.Lock()
        self._circuit = pybreaker.CircuitBreaker(
            fail_max=rules.failures,
            reset_timeout=0,
            state_storage=_ClocklessStorage(pybreaker.STATE_CLOSED),
            throw_new_error_on_trip=False,
        )
        self._generation = 0
        self._trial_runs = False
        self._failed_trials = 0
        self._open_until = 0.0
        self._mode: Mode = "auto"

    @property
    def rules(self) -> BreakerRules:
        """What it was made with."""
        return self._rules

    @property
    def mode(self) -> Mode:
        """What an operator wants; "auto" for nothing."""
        return self._mode

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

    def took(self, seconds: float) -> None:
        """Tell how long a round trip took that has PostgreSQL do nothing, or a connection to make.

        That is what a slow call is: one whose time is the server's or the network's.  A user's
        query may take as long as it likes.
        """
        with self._lock:
            if self._mode != "auto" or self.state != "closed":
                return
            now = self._clock()
            is_slow = seconds > self._rules.slow_s
            self._window.took(now, slow=is_slow)
            total = self._window.total(now)
            least = self._rules.slow_share * total.round_trips
            if not is_slow or total.round_trips < self._rules.min_calls or total.slow < least:
                return
            self._circuit.open()
            self._opened("closed")
        self._notify(
            "closed",
            "open",
            TooSlow(
                f"{total.slow} of {total.round_trips} round trips to PostgreSQL took longer than "
                f"{self._rules.slow_s:g} s.",
                self.retry_after_s,
            ),
        )

    def command(self, mode: Mode, left_s: float | None = None, reason: str = "") -> None:
        """Hold the breaker open or closed, whatever happens, until it is told "auto" again.

        `left_s`: seconds for which that is meant, told to those who are refused.  After having been
        held open it goes on with one trial; after having been held closed, with a clean record.
        Listeners are told of ByCommand, with the `reason`.
        """
        with self._lock:
            if mode == "open":
                self._open_until = self._clock() + (left_s or self._rules.reset_max_s)
            if mode == self._mode:
                return
            old, before = self.state, self._mode
            self._mode = mode
            if mode == "open":
                self._circuit.open()
            elif mode == "closed":
                self._circuit.close()
            elif before == "open":
                self._open_until = self._clock()
            self._failed_trials = 0
            self._changed()
            new = self.state
        if new != old:
            self._notify(old, new, ByCommand(f"An operator commands {mode}: {reason or '-'}"))

    def _admit(self) -> int:
        with self._lock:
            old = self.state
            if old == "closed":
                return self._generation
            if self._mode == "open":
                raise BreakerOpen(
                    "An operator has PostgreSQL left alone for a while.", self._retry_after()
                )
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
            if outcome == "unknown" or self._mode != "auto":
                return
            with suppress(_Failed):
                self._circuit.call(_succeed if outcome == "success" else _fail)
            if self.state == old == "closed" and self._fails_too_often(outcome):
                self._circuit.open()
            new = self.state
            if new == old:
                return
            if new == "open":
                self._opened(old)
            else:
                self._changed()
        self._notify(old, new, error)

    def _fails_too_often(self, outcome: Outcome) -> bool:
        now = self._clock()
        self._window.ended(now, failed=outcome == "failure")
        total = self._window.total(now)
        is_share = total.failures >= self._rules.failure_share * total.calls
        return outcome == "failure" and total.calls >= self._rules.min_calls and is_share

    def _opened(self, old: BreakerState) -> None:
        self._changed()
        self._failed_trials = self._failed_trials + 1 if old == "half_open" else 0
        pause_s = min(self._rules.reset_s * 2.0**self._failed_trials, self._rules.reset_max_s)
        self._open_until = self._clock() + pause_s * (1.0 - self._chance() / 2.0)

    def _changed(self) -> None:
        self._generation += 1
        self._trial_runs = False
        self._window.clear()

    def _retry_after(self) -> float:
        if self.state == "open":
            return max(0.0, self._open_until - self._clock())
        return self._rules.reset_s

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

"""Requests for which no backend has room."""

from collections.abc import Callable, Collection
from typing import Protocol

from lb.backend.backend import Backend


class Waiter(Protocol):
    """A request that waits, as the queue sees it."""

    @property
    def tried(self) -> Collection[Backend]:
        """Backends that have failed it."""

    def engage(self, backend: Backend) -> None:
        """Go on: `backend` has room."""

    def waited_too_long(self) -> None:
        """Give up: the time is over."""


class WaitQueue:
    """First in, first out; at most `length` wait, each no longer than `timeout_s`.

    `waiting`: each with its deadline, in order of arrival, so also in order of the deadlines.
    `refused` and `expired` count those that found it full, and those whose time ran out.
    """

    __slots__ = ("_length", "_timeout_s", "expired", "refused", "waiting")

    def __init__(self, *, length: int, timeout_s: float) -> None:
        self._length = length
        self._timeout_s = timeout_s
        self.waiting: dict[Waiter, float] = {}
        self.refused = 0
        self.expired = 0

    def enter(self, waiter: Waiter, now: float) -> bool:
        """Let `waiter` wait; False: the queue is full."""
        if len(self.waiting) >= self._length:
            self.refused += 1
            return False
        self.waiting[waiter] = now + self._timeout_s
        return True

    def leave(self, waiter: Waiter) -> None:
        """Forget `waiter`, if it waits."""
        self.waiting.pop(waiter, None)

    def admit(self, pick: Callable[[Collection[Backend]], Backend | None]) -> None:
        """Send on those for whom `pick` finds room."""
        for waiter in tuple(self.waiting):
            if waiter not in self.waiting:
                continue  # it left because of what another one did
            backend = pick(waiter.tried)
            if backend is not None:
                del self.waiting[waiter]
                waiter.engage(backend)
            elif not waiter.tried:
                return  # no room anywhere; else only not where this one may go

    def expire(self, now: float) -> None:
        """Send away those whose time is over."""
        late = []
        for waiter, deadline in self.waiting.items():
            if deadline > now:
                break
            late.append(waiter)
        for waiter in late:
            if self.waiting.pop(waiter, None) is not None:
                self.expired += 1
                waiter.waited_too_long()

"""One lane: who begins, who waits, and who is refused.  Pure, and for one thread."""

import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar, get_args

LaneName = Literal["health", "status", "hash", "query", "bulk"]
LANES: tuple[LaneName, ...] = get_args(LaneName)

# full: too many wait.  late: the wait would be too long.  expired: the wait was too long.
Cause = Literal["full", "late", "expired"]
CAUSES: tuple[Cause, ...] = get_args(Cause)

_MEAN_WEIGHT = 0.1
# In an overload one waits only so much of the longest wait, or so many turns if that is longer.
_SHORT = 0.1
_SHORT_TURNS = 3
# An overload is over so many of the longest waits after its last refusal.  Were it over as soon as
# the queue gets empty, a long queue would be built, and everybody in it be late, again and again.
_OVERLOAD_WAITS = 4

ItemT = TypeVar("ItemT", bound=Hashable)


class Limit(Protocol):
    """How many may be under way at once; it may change at any time."""

    @property
    def current(self) -> int:
        """The limit now; at least 1."""


@dataclass(frozen=True)
class FixedLimit:
    """A limit that stays."""

    current: int


@dataclass(frozen=True)
class _Waiting(Generic[ItemT]):
    item: ItemT
    until: float


class Lane(Generic[ItemT]):
    """Requests under way, and a short queue in order of arrival.

    A queue is for bursts.  One that does not get empty only makes everybody late: once it has
    stood for `wait_s`, or somebody was refused, those who come wait a tenth of that, or about three
    turns if that is longer (in the manner of CoDel, Nichols and Jacobson 2012).  Times are by one
    monotonic clock.
    """

    def __init__(self, name: LaneName, limit: Limit, *, max_waiting: int, wait_s: float) -> None:
        self.name = name
        self.limit = limit
        self.in_flight = 0
        self._max_waiting = max_waiting
        self._wait_s = wait_s
        self._queue: deque[_Waiting[ItemT]] = deque()
        self._standing_since = 0.0
        self._overload_until = -math.inf
        self._mean_s = 0.0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    @property
    def expected_wait_s(self) -> float:
        """About how long a newcomer would wait for its turn."""
        if not self._queue and self.in_flight < self.limit.current:
            return 0.0
        return (len(self._queue) + 1) * self._turn_s

    @property
    def next_deadline(self) -> float | None:
        """When the next of those who wait will have waited too long."""
        return min((each.until for each in self._queue), default=None)

    def arrive(self, item: ItemT, now: float, budget_s: float) -> Cause | Literal["begin", "wait"]:
        """Tell what becomes of `item`, whose answer is of use for `budget_s`.

        "begin": it is under way, and leave() must follow.  "wait": admit() or expire() will
        return it.  Else why it is refused.
        """
        if not self._queue:
            if self.in_flight < self.limit.current:
                self.in_flight += 1
                return "begin"
            self._standing_since = now
        longest_s = self._longest_s(now)
        own_s = budget_s - self._mean_s
        if len(self._queue) >= self._max_waiting or self.expected_wait_s > longest_s:
            self._note_overload(now)
            return "full" if len(self._queue) >= self._max_waiting else "late"
        if self.expected_wait_s > own_s:
            return "late"
        self._queue.append(_Waiting(item, now + min(longest_s, own_s)))
        return "wait"

    def leave(self, took_s: float) -> None:
        """End a request that was under way for `took_s`."""
        self.in_flight -= 1
        self._mean_s += _MEAN_WEIGHT * (took_s - self._mean_s) if self._mean_s else took_s

    def expire(self, now: float) -> list[ItemT]:
        """Return, and forget, those that have waited too long."""
        late = [each for each in self._queue if each.until <= now]
        if late:
            self._note_overload(now)
            self._queue = deque(each for each in self._queue if each.until > now)
        return [each.item for each in late]

    def admit(self) -> list[ItemT]:
        """Return those whose turn has come; they are under way."""
        begun = []
        while self._queue and self.in_flight < self.limit.current:
            begun.append(self._queue.popleft().item)
            self.in_flight += 1
        return begun

    @property
    def _turn_s(self) -> float:
        """Time from one end of a request to the next, while as many as may be are under way."""
        return self._mean_s / self.limit.current

    def _longest_s(self, now: float) -> float:
        if now - self._standing_since < self._wait_s and now >= self._overload_until:
            return self._wait_s
        return min(self._wait_s, max(_SHORT * self._wait_s, _SHORT_TURNS * self._turn_s))

    def _note_overload(self, now: float) -> None:
        self._overload_until = now + _OVERLOAD_WAITS * self._wait_s

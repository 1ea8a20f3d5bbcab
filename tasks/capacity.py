"""How much the live workers can take, known without asking each time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tasks.errors import QueueUnavailable
from tasks.heartbeat import Roll

FRESH_S = 0.5
RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class Capacity:
    """Live workers that take tasks, their slots, and how many slots no task waits for or uses."""

    workers: int
    slots: int
    free_slots: int


def capacity_of(roll: Roll) -> Capacity:
    """Count what takes tasks: a draining worker is no capacity."""
    taking = [worker for worker in roll.workers if not worker.draining]
    slots = sum(worker.slots for worker in taking)
    return Capacity(len(taking), slots, max(0, slots - roll.queue_length))


class CapacityView:
    """The capacity, at most half a second old.

    One thread at a time refreshes it while the others use what is known, so it costs a query no
    round trip, and a Redis that hangs holds up one query a second instead of all.
    """

    def __init__(
        self, read: Callable[[], Roll], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._refreshing = threading.Lock()
        self._known: Capacity | QueueUnavailable | None = None
        self._stale_at = 0.0

    def capacity(self) -> Capacity:
        """Return the capacity.  Raises QueueUnavailable, at once if that is known already."""
        # the very first callers wait for the first answer; later ones never wait
        if self._is_stale() and self._refreshing.acquire(blocking=self._known is None):
            try:
                if self._is_stale():
                    self._refresh()
            finally:
                self._refreshing.release()
        known = self._known
        if isinstance(known, Capacity):
            return known
        raise QueueUnavailable(str(known))

    @property
    def known_takers(self) -> int | None:
        """Workers that take tasks, as far as that is known without asking; None: it is not."""
        known = self._known
        return known.workers if isinstance(known, Capacity) else None

    def unavailable(self, error: QueueUnavailable) -> None:
        """Note that Redis has just failed somebody."""
        self._known = error
        self._stale_at = self._monotonic() + RETRY_AFTER_S

    def _is_stale(self) -> bool:
        return self._known is None or self._monotonic() >= self._stale_at

    def _refresh(self) -> None:
        try:
            self._known = capacity_of(self._read())
            self._stale_at = self._monotonic() + FRESH_S
        except QueueUnavailable as error:
            self.unavailable(error)

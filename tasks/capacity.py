"""How much the live workers can take, and how soon, known without asking each time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tasks.errors import QueueUnavailable
from tasks.heartbeat import Roll
from tasks.lanes import QUERY, Lane

FRESH_S = 0.5
RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class Capacity:
    """Live workers that take a lane's tasks, and their slots.

    `free_slots` are those that no task waits for or uses; `rate` is how many tasks a second they
    finish when all are at work, None while no worker has had one.  `queue_length` counts the lane's
    tasks, waiting or held.  `segment_readers` of the workers read segments; all of them are on so
    many `hosts`.
    """

    workers: int
    slots: int
    free_slots: int
    rate: float | None = None
    queue_length: int = 0
    segment_readers: int = 0
    hosts: int = 1

    def wait_s(self, ahead: int) -> float:
        """Return how long a task waits for a slot behind `ahead` others; 0.0 if nobody can tell."""
        if self.rate is None:
            return 0.0
        return max(0, ahead - self.slots + 1) / self.rate

    def most_ahead(self, wait_s: float) -> int | None:
        """Return behind how many tasks one waits no longer than that; None if nobody can tell."""
        if self.rate is None:
            return None
        return self.slots - 1 + int(wait_s * self.rate)


def capacity_of(roll: Roll, lane: Lane = QUERY) -> Capacity:
    """Count what takes the lane's tasks: a draining worker is no capacity."""
    taking = [
        worker for worker in roll.workers if not worker.draining and lane.name in worker.lanes
    ]
    loads = [worker.load(lane) for worker in taking]
    slots = sum(load.slots for load in loads)
    known = [(load.slots, load.mean_s) for load in loads if load.mean_s is not None]
    known_slots = sum(known_slots for known_slots, _ in known)
    rate = None
    if known_slots:
        # those that have had no task yet will be like the others
        measured = sum(number / max(mean_s, 1e-4) for number, mean_s in known)
        rate = measured * slots / known_slots
    free = max(0, slots - roll.queue_length)
    readers = sum(worker.reads_segments for worker in taking)
    hosts = len({worker.host for worker in taking})
    return Capacity(len(taking), slots, free, rate, roll.queue_length, readers, max(1, hosts))


class CapacityView:
    """The capacity, at most half a second old.

    One thread at a time refreshes it while the others use what is known, so it costs a query no
    round trip, and a Redis that hangs holds up one query a second instead of all.
    """

    def __init__(
        self,
        read: Callable[[], Roll],
        monotonic: Callable[[], float] = time.monotonic,
        lane: Lane = QUERY,
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._lane = lane
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
            self._known = capacity_of(self._read(), self._lane)
            self._stale_at = self._monotonic() + FRESH_S
        except QueueUnavailable as error:
            self.unavailable(error)

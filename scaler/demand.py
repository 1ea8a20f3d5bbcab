"""How much there is to do, from what workers and lanes show now and showed a moment ago.  Pure.

Little's law: tasks that come a second, times the seconds that one takes, are the slots that are
busy with them.  What comes is what was worked off, and by how much more the queue holds.
"""

from collections import deque
from dataclasses import dataclass

from tasks.capacity import capacity_of
from tasks.heartbeat import Roll, WorkerRecord
from tasks.lanes import QUERY, Lane, LaneStatus


@dataclass(frozen=True)
class LaneSample:
    """A lane at one moment."""

    lane: Lane
    status: LaneStatus

    @property
    def waiting(self) -> int:
        """Tasks that no worker holds."""
        return max(0, self.status.length - self.status.pending)


@dataclass(frozen=True)
class Sample:
    """All that was seen at one moment; `at` in seconds of a monotonic clock."""

    at: float
    workers: tuple[WorkerRecord, ...]
    lanes: tuple[LaneSample, ...]

    @property
    def taking(self) -> int:
        """Live workers that are not leaving."""
        return sum(not worker.draining for worker in self.workers)

    def waiting(self, lane: Lane) -> int | None:
        """Return how many tasks of a lane wait; None if it was not looked at."""
        return next((one.waiting for one in self.lanes if one.lane == lane), None)


@dataclass(frozen=True)
class LaneDemand:
    """What a lane asks for.

    `load`: slots that would be just busy with what comes.  `waiting`: tasks that wait, each of
    which takes a slot `mean_s` seconds; None: nobody knows yet.  `slots_each`: of a worker, in the
    mean of those that take the lane's tasks; 0.0 if none does.
    """

    lane: str
    slots_each: float
    load: float
    waiting: int
    mean_s: float | None


class DemandMeter:
    """Compares each sample with one that is up to `window_s` older."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._samples: deque[Sample] = deque()

    def forget(self) -> None:
        """Begin anew: after an outage old samples tell nothing of what comes now."""
        self._samples.clear()

    def measure(self, sample: Sample) -> tuple[LaneDemand, ...]:
        """Take a sample in, and return what each lane asks for."""
        while self._samples and sample.at - self._samples[0].at > self._window_s:
            self._samples.popleft()
        self._samples.append(sample)
        return tuple(self._demand(one, sample) for one in sample.lanes)

    def _demand(self, one: LaneSample, sample: Sample) -> LaneDemand:
        capacity = capacity_of(Roll(sample.workers, one.status.length), one.lane)
        slots_each = capacity.slots / capacity.workers if capacity.workers else 0.0
        mean_s = capacity.slots / capacity.rate if capacity.rate else None
        busy = sum(self._busy(worker, one.lane) for worker in sample.workers)
        growth = self._growth(one, sample)
        load = max(0.0, busy + growth * (mean_s or 0.0))
        return LaneDemand(one.lane.name, slots_each, load, one.waiting, mean_s)

    def _busy(self, now: WorkerRecord, lane: Lane) -> float:
        """Return how many slots of a worker were busy, in the mean of the window."""
        if lane.name not in now.worked_s:  # an older worker tells of the moment alone
            return float(now.busy) if lane == QUERY else 0.0
        before = self._earliest(now.name)
        since_s = now.uptime_s - before.uptime_s
        if since_s <= 0:  # the only record there is: since it began
            return now.worked_s[lane.name] / now.uptime_s if now.uptime_s > 0 else 0.0
        return max(0.0, now.worked_s[lane.name] - before.worked_s.get(lane.name, 0.0)) / since_s

    def _earliest(self, name: str) -> WorkerRecord:
        return next(
            worker for sample in self._samples for worker in sample.workers if worker.name == name
        )

    def _growth(self, one: LaneSample, sample: Sample) -> float:
        """Return by how many tasks a second more wait."""
        before = self._samples[0]
        earlier, since_s = before.waiting(one.lane), sample.at - before.at
        if earlier is None or since_s <= 0:
            return 0.0
        return (one.waiting - earlier) / since_s

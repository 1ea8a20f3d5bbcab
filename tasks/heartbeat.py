"""The roll of live workers: what each says of itself, every second, for three seconds."""

import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Self

import psutil
import redis

from tasks.clock import RedisClock
from tasks.errors import MessageMalformed
from tasks.lanes import GROUP, PREFIX, QUERY, Lane
from tasks.link import Link, borrowed
from tasks.scripts import BEAT, LEAVE, ROLL

WORKERS = f"{PREFIX}workers"
RECORDS = f"{PREFIX}workers:records"


@dataclass(frozen=True)
class LaneLoad:
    """A worker's slots of one lane, and the seconds that a task needs there; None: none came."""

    slots: int
    mean_s: float | None = None


@dataclass(frozen=True)
class LaneWork:
    """A lane's load, and the seconds that its slots have worked since the worker began."""

    load: LaneLoad
    worked_s: float


@dataclass(frozen=True)
class WorkerRecord:
    """What a worker says of itself; `started_at` in seconds since 1970 by the worker's clock.

    `slots` and `busy` are of the query lane; `loads` has one load a lane, by its name.  `worked_s`
    are the seconds that all slots of a lane have worked together, and `uptime_s` those since the
    worker began: two records tell how busy it was in between.  `reads_segments`: it has their
    folder.  An older worker leaves these out.
    """

    name: str
    host: str
    pid: int
    slots: int
    busy: int
    cpu_percent: float
    rss_bytes: int
    started_at: float
    draining: bool
    lanes: tuple[str, ...]
    loads: Mapping[str, LaneLoad] = field(default_factory=dict)
    worked_s: Mapping[str, float] = field(default_factory=dict)
    uptime_s: float = 0.0
    reads_segments: bool = False

    def load(self, lane: Lane) -> LaneLoad:
        """Return the load of a lane that it takes tasks of; of an older worker what is known."""
        usual = LaneLoad(self.slots if lane == QUERY else 1)
        return self.loads.get(lane.name, usual)

    def encode(self) -> bytes:
        """Return the record as JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote, or a later version with more fields.

        Raises MessageMalformed for anything else.
        """
        try:
            values = json.loads(data)
            loads = {name: LaneLoad(**load) for name, load in values.pop("loads", {}).items()}
            known = {
                one.name: values[one.name]
                for one in fields(cls)
                if one.name in values or not _can_be_missing(one)
            }
            return cls(**known | {"lanes": tuple(known["lanes"]), "loads": loads})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MessageMalformed(f"no worker's record: {data[:80]!r}") from error


def _can_be_missing(one: Field[object]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


class Heartbeat:
    """Keeps one worker on the roll."""

    def __init__(
        self,
        name: str,
        *,
        lanes: Sequence[Lane],
        also: Sequence[Lane],
        work: Callable[[], Mapping[str, LaneWork]],
        busy: Callable[[], int],
        draining: Callable[[], bool],
        ttl_s: float,
        clock: RedisClock,
        reads_segments: bool = False,
    ) -> None:
        self._name = name
        self._reads_segments = reads_segments
        self._lanes = tuple(lanes)
        self._names = tuple(lane.name for lane in (*lanes, *also))
        self._work = work
        self._busy = busy
        self._draining = draining
        self._ttl_ms = int(ttl_s * 1000)
        self._clock = clock
        self._process = psutil.Process()
        self._started_at = time.time()
        self._began = time.monotonic()

    def beat(self, link: Link) -> None:
        """Say that the worker lives, and learn Redis's time.  Raises QueueUnavailable."""
        draining = self._draining()
        uptime_s = time.monotonic() - self._began
        work = self._work()
        record = WorkerRecord(
            name=self._name,
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=work[QUERY.name].load.slots,
            busy=self._busy(),
            cpu_percent=self._process.cpu_percent(),
            rss_bytes=self._process.memory_info().rss,
            started_at=self._started_at,
            draining=draining,
            lanes=self._names,
            loads={name: one.load for name, one in work.items()},
            worked_s={name: round(one.worked_s, 6) for name, one in work.items()},
            uptime_s=round(uptime_s, 6),
            reads_segments=self._reads_segments,
        )
        now_ms = link.run(
            BEAT,
            [WORKERS, RECORDS, *(lane.takers for lane in self._lanes)],
            [self._name, self._ttl_ms, record.encode(), 0 if draining else 1],
        )
        if isinstance(now_ms, int):
            self._clock.set(now_ms)

    def leave(self, link: Link) -> None:
        """Take the worker off the roll.  Raises QueueUnavailable."""
        keys = [key for lane in self._lanes for key in (lane.takers, lane.stream)]
        link.run(LEAVE, [WORKERS, RECORDS, *keys], [self._name, GROUP])


@dataclass(frozen=True)
class Roll:
    """Live workers, and how many tasks a lane holds at the same moment."""

    workers: tuple[WorkerRecord, ...]
    queue_length: int


class Workers:
    """Reads the roll."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def list(self) -> tuple[WorkerRecord, ...]:
        """Return the live workers, by name.  Raises QueueUnavailable."""
        return self.roll().workers

    def roll(self, lane: Lane = QUERY) -> Roll:
        """Return the live workers and the lane's length.  Raises QueueUnavailable."""
        with borrowed(self._client) as link:
            reply = link.run(ROLL, [WORKERS, RECORDS, lane.stream], [])
        if not isinstance(reply, list):
            raise MessageMalformed(f"no roll: {reply!r}")
        length, *records = reply
        workers = [WorkerRecord.decode(data) for data in records if isinstance(data, bytes)]
        workers.sort(key=lambda worker: worker.name)
        return Roll(tuple(workers), length if isinstance(length, int) else 0)

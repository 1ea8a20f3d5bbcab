"""A worker's side of the queue: its slots, and the threads that keep them honest."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import redis
import structlog

from tasks.clock import RedisClock
from tasks.errors import QueueUnavailable
from tasks.events import OnEvent, unheard
from tasks.heartbeat import Heartbeat, LaneLoad, LaneWork
from tasks.keeper import Keeper
from tasks.lanes import QUERY, Lane
from tasks.lease import Handler, Lease, Leases, end
from tasks.link import Link, borrowed
from tasks.outage import Outage, repeat
from tasks.service_times import MeanTime
from tasks.settings import QueueSettings
from tasks.slot import ClaimTurn, Slot, SlotRules, create_group

# between two looks for cancelled tasks while some run: bounds how long one is run for nobody
CANCEL_LOOK_S = 0.1
_NOTHING_ELSE: Mapping[Lane, Callable[[], LaneWork]] = MappingProxyType({})

_log = structlog.get_logger(__name__)


def worker_name() -> str:
    """Return a name that no other process start has: a restarted worker must not inherit tasks."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class LaneSlots:
    """What a worker takes of one lane: in so many slots, each in a thread of its own.

    `prepare` is called in each of these threads before its first task.
    """

    lane: Lane
    slots: int
    handler: Handler
    prepare: Callable[[], None] = _nothing


class Consumer:
    """Runs tasks of several lanes, the query lane among them, until it is stopped."""

    def __init__(
        self,
        client: redis.Redis,
        settings: QueueSettings,
        *,
        name: str,
        lanes: Sequence[LaneSlots],
        also: Mapping[Lane, Callable[[], LaneWork]] = _NOTHING_ELSE,
        on_event: OnEvent = unheard,
        reads_segments: bool = False,
    ) -> None:
        """`also`: lanes that the same process takes tasks from by other means, and their work.

        `reads_segments`: its handler of the query lane does.

        `on_event` hears "lease_reclaimed", "dead_letter", "dead_consumer_removed" and of Redis's
        outages, each with its cause, in some thread.
        """
        self._client = client
        self._settings = settings
        self._name = name
        self._lanes = {one.lane: one for one in lanes}
        self._also = dict(also)
        self._stopping = threading.Event()
        self._gone = threading.Event()
        self._leases = {lane: Leases() for lane in self._lanes}
        self._service = {lane: MeanTime() for lane in self._lanes}
        self._on_event = on_event
        self._clock = RedisClock()
        self._outage = Outage(on_event=on_event)
        of_queries = self._leases[QUERY]
        self._heartbeat = Heartbeat(
            name,
            lanes=list(self._lanes),
            also=list(also),
            work=self._work,
            busy=lambda: len(of_queries),
            draining=self._stopping.is_set,
            ttl_s=settings.heartbeat_ttl_s,
            clock=self._clock,
            reads_segments=reads_segments,
        )

    def stop(self) -> None:
        """Take nothing new from now on; to be called from another thread."""
        self._stopping.set()

    def run(self, *, drain_timeout_s: float) -> bool:
        """Serve until `stop`, then finish what is held and leave.

        While Redis is away it waits for it.  Returns False when the tasks held were not finished
        within `drain_timeout_s`; they are cancelled then, and other workers run them.
        """
        self._repeat("enter", self._enter, self._has_entered)
        slots = [slot for one in self._lanes.values() for slot in self._slots(one)]
        others = [self._paced_thread("heartbeat", self._heartbeat.beat, self._settings.heartbeat_s)]
        for lane, leases in self._leases.items():
            keeper = Keeper(self._name, lane, leases, on_event=self._on_event)
            others += [
                self._paced_thread(f"{lane.name}-keeper", keeper.step, self._settings.renew_s),
                self._paced_thread(f"{lane.name}-canceller", keeper.look, CANCEL_LOOK_S),
            ]
        for thread in (*slots, *others):
            thread.start()
        _log.info("taking tasks", worker=self._name,
                  slots={lane.name: one.slots for lane, one in self._lanes.items()})  # fmt: skip
        self._stopping.wait()
        _log.info("draining", tasks=len(self._held()))
        self._try(self._heartbeat.beat)  # at once: capacity that is leaving must not be counted
        drained = _join(slots, drain_timeout_s)
        if not drained:
            for lease in self._held():
                end(lease, "stopping")
            _join(slots, self._settings.block_s + 1.0)
        self._gone.set()
        _join(others, self._settings.socket_timeout_s)
        self._try(self._heartbeat.leave)
        return drained

    def _held(self) -> list[Lease]:
        return [lease for leases in self._leases.values() for lease in leases.held()]

    def _work(self) -> dict[str, LaneWork]:
        found = {lane.name: ask() for lane, ask in self._also.items()}
        for lane, one in self._lanes.items():
            service = self._service[lane]
            held = self._leases[lane].held()
            load = LaneLoad(
                one.slots, service.mean_s([lease.held_s() for lease in held], one.slots)
            )
            # one that has finished and waits to be answered is among the total already
            running_s = sum(lease.held_s() for lease in held if lease.is_running)
            found[lane.name] = LaneWork(load, service.total_s + running_s)
        return found

    def _enter(self, link: Link) -> None:
        for lane in self._lanes:
            create_group(link, lane)
        self._heartbeat.beat(link)  # before the first task: its age needs Redis's time

    def _has_entered(self) -> bool:
        return self._clock.is_set or self._stopping.is_set()

    def _slots(self, given: LaneSlots) -> list[threading.Thread]:
        rules = SlotRules(
            worker=self._name,
            lane=given.lane,
            block_s=self._settings.block_s,
            lease_s=self._settings.lease_s,
            max_deliveries=self._settings.max_deliveries,
        )
        claim_turn = ClaimTurn(self._settings.renew_s)
        slots = [
            Slot(
                rules,
                handler=given.handler,
                leases=self._leases[given.lane],
                claim_turn=claim_turn,
                clock=self._clock,
                service=self._service[given.lane],
                stopping=self._stopping.is_set,
                on_event=self._on_event,
            )
            for _ in range(given.slots)
        ]
        return [
            self._thread(f"{given.lane.name}-{number}", slot.step, slot.is_finished, given.prepare)
            for number, slot in enumerate(slots)
        ]

    def _paced_thread(
        self, loop: str, step: Callable[[Link], None], interval_s: float
    ) -> threading.Thread:
        def paced(link: Link) -> None:
            step(link)
            self._gone.wait(interval_s)

        return self._thread(loop, paced, self._gone.is_set)

    def _thread(
        self,
        loop: str,
        step: Callable[[Link], None],
        finished: Callable[[], bool],
        prepare: Callable[[], None] = _nothing,
    ) -> threading.Thread:
        def run() -> None:
            prepare()
            self._repeat(loop, step, finished)

        # daemon: a handler that never returns must not keep the process
        return threading.Thread(target=run, name=loop, daemon=True)

    def _repeat(
        self, loop: str, step: Callable[[Link], None], finished: Callable[[], bool]
    ) -> None:
        repeat(
            step,
            client=self._client,
            loop=loop,
            finished=finished,
            pause=self._gone.wait,
            outage=self._outage,
        )

    def _try(self, step: Callable[[Link], None]) -> None:
        """Take a step that Redis's absence makes needless: what it removes lapses by itself."""
        try:
            with borrowed(self._client) as link:
                step(link)
        except QueueUnavailable as error:
            _log.info("left without notice", error=str(error))


def _join(threads: list[threading.Thread], timeout_s: float) -> bool:
    """Wait for all of them, together at most `timeout_s`; tell whether they have ended."""
    end = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)

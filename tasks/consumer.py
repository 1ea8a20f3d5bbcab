"""A worker's side of the queue: its slots, and the threads that keep them honest."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence

import redis
import structlog

from tasks.clock import RedisClock
from tasks.errors import QueueUnavailable
from tasks.heartbeat import Heartbeat
from tasks.keeper import Keeper
from tasks.lanes import QUERY, Lane
from tasks.lease import Handler, Leases, end
from tasks.link import Link, borrowed
from tasks.outage import Outage, repeat
from tasks.settings import QueueSettings
from tasks.slot import ClaimTurn, Slot, SlotRules, create_group

# between two looks for cancelled tasks while some run: bounds how long one is run for nobody
CANCEL_LOOK_S = 0.1

_log = structlog.get_logger(__name__)


def worker_name() -> str:
    """Return a name that no other process start has: a restarted worker must not inherit tasks."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class Consumer:
    """Runs tasks of the query lane in `slots` threads until it is stopped."""

    def __init__(
        self,
        client: redis.Redis,
        settings: QueueSettings,
        *,
        name: str,
        slots: int,
        handler: Handler,
        also: Sequence[Lane] = (),
    ) -> None:
        """`also`: lanes that the same process takes tasks from by other means."""
        self._client = client
        self._settings = settings
        self._name = name
        self._slot_count = slots
        self._handler = handler
        self._stopping = threading.Event()
        self._gone = threading.Event()
        self._leases = Leases()
        self._clock = RedisClock()
        self._outage = Outage()
        self._heartbeat = Heartbeat(
            name,
            lanes=(QUERY.name, *(lane.name for lane in also)),
            slots=slots,
            busy=lambda: len(self._leases),
            draining=self._stopping.is_set,
            ttl_s=settings.heartbeat_ttl_s,
            clock=self._clock,
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
        slots = self._slots()
        keeper = Keeper(self._name, QUERY, self._leases)
        others = [
            self._paced_thread("keeper", keeper.step, self._settings.renew_s),
            self._paced_thread("canceller", keeper.look, CANCEL_LOOK_S),
            self._paced_thread("heartbeat", self._heartbeat.beat, self._settings.heartbeat_s),
        ]
        for thread in (*slots, *others):
            thread.start()
        _log.info("taking tasks", worker=self._name, slots=self._slot_count)
        self._stopping.wait()
        _log.info("draining", tasks=len(self._leases))
        self._try(self._heartbeat.beat)  # at once: capacity that is leaving must not be counted
        drained = _join(slots, drain_timeout_s)
        if not drained:
            for lease in self._leases.held():
                end(lease, "stopping")
            _join(slots, self._settings.block_s + 1.0)
        self._gone.set()
        _join(others, self._settings.socket_timeout_s)
        self._try(self._heartbeat.leave)
        return drained

    def _enter(self, link: Link) -> None:
        create_group(link, QUERY)
        self._heartbeat.beat(link)  # before the first task: its age needs Redis's time

    def _has_entered(self) -> bool:
        return self._clock.is_set or self._stopping.is_set()

    def _slots(self) -> list[threading.Thread]:
        rules = SlotRules(
            worker=self._name,
            lane=QUERY,
            block_s=self._settings.block_s,
            lease_s=self._settings.lease_s,
            max_deliveries=self._settings.max_deliveries,
        )
        claim_turn = ClaimTurn(self._settings.renew_s)
        slots = [
            Slot(
                rules,
                handler=self._handler,
                leases=self._leases,
                claim_turn=claim_turn,
                clock=self._clock,
                stopping=self._stopping.is_set,
            )
            for _ in range(self._slot_count)
        ]
        return [
            self._thread(f"slot-{number}", slot.step, slot.is_finished)
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
        self, loop: str, step: Callable[[Link], None], finished: Callable[[], bool]
    ) -> threading.Thread:
        # daemon: a handler that never returns must not keep the process
        return threading.Thread(
            target=self._repeat, args=(loop, step, finished), name=loop, daemon=True
        )

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

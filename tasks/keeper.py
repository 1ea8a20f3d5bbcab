"""Keeps a worker's leases alive, passes cancellations on, and clears away dead consumers."""

import time
from collections.abc import Callable

import structlog

from tasks.events import OnEvent
from tasks.heartbeat import WORKERS
from tasks.lanes import GROUP, Lane, cancel_key
from tasks.lease import CancelReason, Lease, Leases, end
from tasks.link import Link
from tasks.scripts import RENEW, TIDY

TIDY_S = 5.0
IDLE_S = 0.5

_log = structlog.get_logger(__name__)


class Keeper:
    """Looks after the tasks that one worker holds; `step` is called every renewal interval."""

    def __init__(
        self,
        worker: str,
        lane: Lane,
        leases: Leases,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        on_event: OnEvent,
    ) -> None:
        self._on_event = on_event
        self._worker = worker
        self._lane = lane
        self._leases = leases
        self._monotonic = monotonic
        self._tidied = monotonic()

    def look(self, link: Link) -> None:
        """Cancel what nobody waits for any more; waits while nothing is held.

        Called much more often than `step`, in a thread of its own, and costs Redis one small
        command, and nothing while no task runs.  Raises QueueUnavailable.
        """
        if not self._leases.await_one(IDLE_S):
            return
        held = self._leases.held()
        for lease in held:
            if lease.remaining_s() <= 0:
                self._cancel(lease, "deadline")
        wanted = [lease for lease in held if lease.cancel_reason is None]
        if not wanted:
            return
        markers = link.call("MGET", *(cancel_key(lease.task.reply_to) for lease in wanted))
        if not isinstance(markers, list):
            return
        for lease, marker in zip(wanted, markers, strict=True):
            if marker is not None:
                self._cancel(lease, "cancelled")

    def step(self, link: Link) -> None:
        """Renew all leases, and cancel what was lost.  Raises QueueUnavailable."""
        held = self._leases.held()
        if held:
            self._renew(link, held)
        if self._monotonic() - self._tidied >= TIDY_S:
            self._tidied = self._monotonic()
            removed = link.run(TIDY, [self._lane.stream, WORKERS], [GROUP])
            if isinstance(removed, list) and removed:
                for name in removed:
                    dead = name.decode() if isinstance(name, bytes) else str(name)
                    self._on_event(
                        "dead_consumer_removed", "it beats no more, and holds nothing",
                        worker=dead, lane=self._lane.name,
                    )  # fmt: skip

    def _renew(self, link: Link, held: list[Lease]) -> None:
        states = link.run(
            RENEW,
            [self._lane.stream, *(cancel_key(lease.task.reply_to) for lease in held)],
            [GROUP, self._worker, *(lease.task.id for lease in held)],
        )
        if not isinstance(states, list):
            return
        for lease, state in zip(held, states, strict=True):
            if state == b"cancelled":
                self._cancel(lease, "cancelled")
            elif state == b"lost":
                self._cancel(lease, "lost")

    def _cancel(self, lease: Lease, reason: CancelReason) -> None:
        if lease.cancel_reason is not None or not lease.is_running:
            return  # also where a task seems lost because it was answered just now
        _log.info("task cancelled", task=lease.task.id, reason=reason)
        end(lease, reason)

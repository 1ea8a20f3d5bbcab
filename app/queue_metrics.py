"""Metrics of the task queue, which all replicas share: looked at when somebody wants to know."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis
import structlog
from prometheus_client import CollectorRegistry, Gauge

from tasks.dead_letters import dead_letters
from tasks.errors import QueueError
from tasks.heartbeat import Workers
from tasks.lanes import PASSWORD, QUERY, Lane, LaneStatus, lane_status, oldest_age_s

_log = structlog.stdlib.get_logger("app.queue")


@dataclass(frozen=True)
class QueueView:
    """What was found: each lane with the age of its oldest task, in seconds.

    `draining` tells of each live worker whether it takes nothing new.
    """

    lanes: Sequence[tuple[LaneStatus, float]]
    draining: Sequence[bool]
    dead_letters: int


def queue_view(client: redis.Redis, lanes: Sequence[Lane] = (QUERY, PASSWORD)) -> QueueView:
    """Ask Redis.  Raises QueueError."""
    return QueueView(
        [(lane_status(client, lane), oldest_age_s(client, lane)) for lane in lanes],
        [worker.draining for worker in Workers(client).list()],
        dead_letters(client, most=1).count,
    )


class QueueMetrics:
    """While Redis is away they show what was there last, and nobody waits for it.

    `is_away` tells so without asking it.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        view: Callable[[], QueueView],
        is_away: Callable[[], bool],
    ) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(
                name, meaning, labels, multiprocess_mode="livemostrecent", registry=registry
            )  # fmt: skip

        self._view = view
        self._is_away = is_away
        self._tasks = gauge(
            "millrace_app_queue_tasks",
            "Tasks on a lane of the queue: waiting for a worker, or held by one.",
            "lane", "state",
        )  # fmt: skip
        self._oldest = gauge(
            "millrace_app_queue_oldest_task_seconds",
            "How long the oldest task of a lane has been there.",
            "lane",
        )
        self._dead = gauge("millrace_app_queue_dead_letters", "Tasks given up that are kept.")
        self._workers = gauge(
            "millrace_app_workers", "Live workers, by whether they take tasks.", "state"
        )

    def look(self) -> None:
        """Show what is there now."""
        if self._is_away():
            return
        try:
            found = self._view()
        except QueueError as error:
            _log.debug("queue not counted", error=str(error))
            return
        for lane, oldest_s in found.lanes:
            self._tasks.labels(lane.name, "waiting").set(max(0, lane.length - lane.pending))
            self._tasks.labels(lane.name, "held").set(lane.pending)
            self._oldest.labels(lane.name).set(oldest_s)
        self._workers.labels("draining").set(sum(found.draining))
        self._workers.labels("taking").set(len(found.draining) - sum(found.draining))
        self._dead.set(found.dead_letters)

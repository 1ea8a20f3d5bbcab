"""What Prometheus reads of a worker: names `millrace_worker_*`."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from db.breaker import BreakerState
from db.database import Database
from tasks.lanes import BULK, PASSWORD, QUERY, Lane
from tasks.lease import Handler, Lease

_BREAKER_STATES: Mapping[BreakerState, int] = {"closed": 0, "half_open": 1, "open": 2}
_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 1800.0,
)  # fmt: skip
# how a task can end, by its lane
OUTCOMES: Mapping[Lane, Sequence[str]] = {
    QUERY: ("done", "failed", "cancelled"),
    PASSWORD: ("done", "failed", "cancelled"),
    BULK: ("done", "failed", "dead", "lost", "released", "outage", "not_ended"),
}


class WorkerMetrics:
    """Tasks by lane and outcome, slots, and the process itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._tasks = Counter(
            "millrace_worker_tasks",
            "Tasks run, by lane and by how they ended.",
            ("lane", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "millrace_worker_task_seconds",
            "How long tasks ran, however they ended.",
            ("lane",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._slots = Gauge(
            "millrace_worker_slots", "Tasks that can run at once.", ("lane",), registry=registry
        )
        self._busy = Gauge(
            "millrace_worker_busy", "Tasks that run now.", ("lane",), registry=registry
        )
        for lane, outcomes in OUTCOMES.items():
            self._seconds.labels(lane.name)
            self._slots.labels(lane.name)
            self._busy.labels(lane.name)
            for outcome in outcomes:
                self._tasks.labels(lane.name, outcome)
        self._spans = Counter(
            "millrace_worker_trace_spans",
            "Spans of traces, by what became of them: exported or dropped.",
            ("outcome",),
            registry=registry,
        )
        for outcome in ("exported", "dropped"):
            self._spans.labels(outcome)
        self._columnar_seconds = Histogram(
            "millrace_worker_columnar_seconds",
            "How long DuckDB took for a fragment over segments.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._columnar_bytes = Counter(
            "millrace_worker_columnar_bytes",
            "Bytes of the files of segments that these fragments named; not all of each is read.",
            registry=registry,
        )
        ProcessCollector(registry=registry)

    def has_slots(self, lane: Lane, slots: int) -> None:
        """Note how many slots a lane has."""
        self._slots.labels(lane.name).set(slots)

    def watch_busy(self, lane: Lane, busy: Callable[[], int]) -> None:
        """Ask `busy` how many tasks of a lane run, whenever somebody wants to know."""
        self._busy.labels(lane.name).set_function(busy)

    def spans_went(self, outcome: str, spans: int) -> None:
        """Count spans that were sent, or were not."""
        self._spans.labels(outcome).inc(spans)

    def scanned(self, seconds: float, size: int) -> None:
        """Count a fragment over segments of `size` bytes."""
        self._columnar_seconds.observe(seconds)
        self._columnar_bytes.inc(size)

    def ended(self, lane: Lane, outcome: str, seconds: float) -> None:
        """Count a task that has ended."""
        self._tasks.labels(lane.name, outcome).inc()
        self._seconds.labels(lane.name).observe(seconds)

    def measured(self, lane: Lane, handler: Handler) -> Handler:
        """Return `handler`, with what it does counted."""
        busy = self._busy.labels(lane.name)

        def run(lease: Lease) -> bytes:
            busy.inc()
            began = time.perf_counter()
            outcome = "failed"
            try:
                answer = handler(lease)
                outcome = "done"
                return answer
            finally:
                if outcome == "failed" and lease.cancel_reason is not None:
                    outcome = "cancelled"
                self.ended(lane, outcome, time.perf_counter() - began)
                busy.dec()

        return run


class PoolCollector(Collector):
    """Pools to PostgreSQL and their breakers, looked at when somebody wants to know."""

    def __init__(self, pools: Sequence[Database]) -> None:
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        connections = GaugeMetricFamily(
            "millrace_worker_pool_connections",
            "Connections of a pool to PostgreSQL: open, in use, and most there may be.",
            labels=["pool", "kind"],
        )
        waiting = GaugeMetricFamily(
            "millrace_worker_pool_waiting", "Callers that wait for a connection.", labels=["pool"]
        )
        breaker = GaugeMetricFamily(
            "millrace_worker_breaker_state",
            "State of a pool's breaker: 0 closed, 1 half open, 2 open.",
            labels=["pool"],
        )
        for status in (pool.status() for pool in self._pools):
            connections.add_metric([status.name, "open"], status.size)
            connections.add_metric([status.name, "in_use"], status.in_use)
            connections.add_metric([status.name, "max"], status.max_size)
            waiting.add_metric([status.name], status.waiting)
            breaker.add_metric([status.name], _BREAKER_STATES[status.breaker])
        yield from (connections, waiting, breaker)


class DiskCollector(Collector):
    """How full a folder's file system is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yield what the operating system tells; nothing when it does not."""
        space = GaugeMetricFamily(
            "millrace_worker_disk_bytes",
            "The file system of MILLRACE_WORKER_DISK_PATH: its size, and what is free of it.",
            labels=["kind"],
        )
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError:  # unmounted, or taken away: no number is better than an old one
            return
        space.add_metric(["size"], usage.total)
        space.add_metric(["free"], usage.free)
        yield space

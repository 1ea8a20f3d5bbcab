"""What Prometheus reads at `/metrics`: names `millrace_app_*`, right over several processes."""

from collections.abc import Callable
from time import perf_counter

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_flask_exporter import PrometheusMetrics  # type: ignore[import-untyped]

from db.breaker import BreakerState
from db.database import DatabaseStatus
from telemetry.spans import current

_BREAKER_STATES: dict[BreakerState, int] = {"closed": 0, "half_open": 1, "open": 2}
PATH = "/metrics"
# for users' SQL, and for tables of our own
POOLS = ("app", "app-own")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip


class AppMetrics:
    """The replica's metrics.  Labels are bounded: route templates, never paths.

    Gauges carry values of this process; `live…` modes leave dead processes out of the sum.
    `before_scrape` is called when somebody is about to read them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.before_scrape: list[Callable[[], object]] = []
        self.request_seconds = Histogram(
            "millrace_app_request_duration_seconds",
            "Time from the request's start to its response, by route template.",
            ("route", "method", "status"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.check_up = Gauge(
            "millrace_app_check_up",
            "1 while the replica reaches what the check names; the worst of its processes.",
            ("check",),
            multiprocess_mode="livemin",
            registry=registry,
        )

        self.breaker_state = Gauge(
            "millrace_app_breaker_state",
            "State of a pool's breaker before PostgreSQL: 0 closed, 1 half open, 2 open.",
            ("pool",),
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.breaker_changes = Counter(
            "millrace_app_breaker_changes_total",
            "Changes of a pool's breaker, by its new state.",
            ("pool", "to"),
            registry=registry,
        )
        self.pool_connections = Gauge(
            "millrace_app_pool_connections",
            "Connections of a pool to PostgreSQL: open, in use, and most there may be.",
            ("pool", "kind"),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.pool_waiting = Gauge(
            "millrace_app_pool_waiting",
            "Callers that wait for a connection to PostgreSQL.",
            ("pool",),
            multiprocess_mode="livesum",
            registry=registry,
        )

        self.trace_spans = Counter(
            "millrace_app_trace_spans_total",
            "Spans of traces, by what became of them: exported or dropped.",
            ("outcome",),
            registry=registry,
        )

        for outcome in ("exported", "dropped"):
            self.trace_spans.labels(outcome)
        for pool in POOLS:
            self.breaker_state.labels(pool)
            for state in _BREAKER_STATES:  # an alert needs the 0 before the 1
                self.breaker_changes.labels(pool, state)

    def breaker_changed(self, pool: str, to: BreakerState) -> None:
        """Note the new state of a pool's breaker."""
        self.breaker_state.labels(pool).set(_BREAKER_STATES[to])
        self.breaker_changes.labels(pool, to).inc()

    def spans_went(self, outcome: str, spans: int) -> None:
        """Count spans that were sent, or were not."""
        self.trace_spans.labels(outcome).inc(spans)

    def pool_seen(self, status: DatabaseStatus) -> None:
        """Note what a pool is doing."""
        self.pool_connections.labels(status.name, "open").set(status.size)
        self.pool_connections.labels(status.name, "in_use").set(status.in_use)
        self.pool_connections.labels(status.name, "max").set(status.max_size)
        self.pool_waiting.labels(status.name).set(status.waiting)

    def register(self, app: Flask, clock: Callable[[], float] = perf_counter) -> None:
        """Measure every request of `app`, and serve `/metrics` on it."""
        # looking a label's child up in the library takes a lock and as long as hashing a value
        children: dict[tuple[str, str, int], Histogram] = {}
        # the exporter's own request metrics take any method a client invents as a label
        PrometheusMetrics(app, path=PATH, export_defaults=False, registry=self.registry)

        @app.before_request
        def start() -> None:
            g.started_at = clock()
            if request.path == PATH:
                for look in self.before_scrape:
                    look()

        @app.after_request
        def observe(response: Response) -> Response:
            g.elapsed_s = clock() - g.started_at
            route = request.url_rule.rule if request.url_rule is not None else "unmatched"
            method = request.method if request.method in _METHODS else "other"
            key = (route, method, response.status_code)
            child = children.get(key)
            if child is None:
                child = children[key] = self.request_seconds.labels(route, method, str(key[2]))
            recording = current()
            if recording is None:
                child.observe(g.elapsed_s)
            else:  # an example for who wonders about the bucket; with several processes not kept
                child.observe(g.elapsed_s, {"trace_id": recording.trace_id})
            return response

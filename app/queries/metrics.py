"""Metrics of queries."""

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram

from app.queries.columnar.errors import Cause as ColumnarCause
from app.queries.control import Cause
from app.queries.request import Timings

BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
MODES = ("direct", "partitioned", "columnar", "mixed")
STAGES = ("plan", "queue", "execute", "merge", "postgresql")
ASYNC_STATES = ("queued", "done", "failed", "cancelled", "given_back")
ReplicaOutcome = Literal["answered", "failed", "too old"]


class QueryMetrics:
    """How queries ran, and where their time went."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answered = Counter(
            "millrace_app_queries", "Queries answered, by mode.", ("mode",), registry=registry
        )
        self._left = Counter(
            "millrace_app_splits_left",
            "Queries that began partitioned and ran direct in the end.",
            registry=registry,
        )
        self._checked = Counter(
            "millrace_app_self_checks",
            "Split answers computed again, whole: equal, different, or the check failed.",
            ("result",),
            registry=registry,
        )
        for result in ("equal", "different", "failed"):  # an alert needs the 0 before the 1
            self._checked.labels(result)
        self._cancelled = Counter(
            "millrace_app_queries_cancelled",
            "Queries ended before they had an answer: client gone, deleted, or stopping.",
            ("cause",),
            registry=registry,
        )
        self._async = Counter(
            "millrace_app_async_queries",
            "Asynchronous queries, counted by this replica: accepted (queued), done, failed, "
            "cancelled, and given_back for another attempt.",
            ("state",),
            registry=registry,
        )
        self._replica_asked = Counter(
            "millrace_app_read_replica_queries",
            "Queries that a read replica was asked: answered, failed, or too old by their end.",
            ("outcome",),
            registry=registry,
        )
        self._stages = Histogram(
            "millrace_app_query_stage_seconds",
            "Time of the stages of a query; postgresql is what they waited for PostgreSQL.",
            ("stage",),
            buckets=BUCKETS,
            registry=registry,
        )

        self._partials = Counter(
            "millrace_app_partials",
            "Partials over segments that a query wanted: kept, or computed.",
            ("came",),
            registry=registry,
        )
        for came in ("kept", "computed"):
            self._partials.labels(came)

        self._scanned = Counter(
            "millrace_app_columnar_rows",
            "Rows of the segments that fragments of answered queries read; pruned ones left out.",
            registry=registry,
        )
        self._refused = Counter(
            "millrace_app_columnar_refusals",
            "Queries of accelerated tables that segments did not answer, by cause.",
            ("cause",),
            registry=registry,
        )
        for cause in get_args(ColumnarCause):
            self._refused.labels(cause)

        # a rate, and an alert, needs the 0 before the 1
        for mode in MODES:
            self._answered.labels(mode)
        for cause in get_args(Cause):
            self._cancelled.labels(cause.replace(" ", "_"))
        for state in ASYNC_STATES:
            self._async.labels(state)
        for outcome in get_args(ReplicaOutcome):
            self._replica_asked.labels(outcome)
        for stage in STAGES:
            self._stages.labels(stage)

    def replica_asked(self, outcome: ReplicaOutcome) -> None:
        """Count a query that a read replica was asked."""
        self._replica_asked.labels(outcome).inc()

    def answered(self, mode: str, timings: Timings) -> None:
        """Count an answered query."""
        self._answered.labels(mode).inc()
        for stage in STAGES:
            self._stages.labels(stage).observe(getattr(timings, stage) / 1000)

    def not_over_segments(self, cause: ColumnarCause) -> None:
        """Count a query of accelerated tables that PostgreSQL answered alone."""
        self._refused.labels(cause).inc()

    def scanned(self, rows: int) -> None:
        """Count rows of segments that were read."""
        self._scanned.inc(rows)

    def partials_asked(self, kept: int, computed: int) -> None:
        """Count partials over segments."""
        self._partials.labels("kept").inc(kept)
        self._partials.labels("computed").inc(computed)

    def cancelled(self, cause: Cause) -> None:
        """Count a query that somebody ended."""
        self._cancelled.labels(cause.replace(" ", "_")).inc()

    def async_became(self, state: str) -> None:
        """Count an asynchronous query that came into a state."""
        self._async.labels(state).inc()

    def left_split(self) -> None:
        """Count a query that had to leave the partitioned way."""
        self._left.inc()

    def self_checked(self, result: str) -> None:
        """Count a self-check: "equal", "different" or "failed"."""
        self._checked.labels(result).inc()

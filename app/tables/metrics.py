"""Metrics of accelerated tables, which all replicas share."""

import time
from collections.abc import Callable, Mapping

import psycopg
import structlog
from prometheus_client import CollectorRegistry, Gauge

from db.database import Database
from db.errors import DatabaseError
from db.tracking.names import written_name
from db.tracking.survey import Acceleration, survey

# the log of changes is counted, which takes a moment where it is long
EVERY_S = 10.0

_GAUGES: Mapping[str, tuple[str, Callable[[Acceleration], float]]] = {
    "segments": ("Segments of the table that are in use.", lambda one: one.segments),
    "buckets": ("Key ranges of the table.", lambda one: one.buckets),
    "segment_rows": ("Rows in the table's segments.", lambda one: one.row_count),
    "segment_bytes": ("Bytes of the table's segments.", lambda one: one.byte_size),
    "clean_share": (
        "Share of its key ranges whose copy is as good as the table.",
        lambda one: one.clean_share,
    ),
    "build_lag_seconds": (
        "Age of its oldest copy that is out of date, or the longest wait for a first one.",
        lambda one: one.lag_s,
    ),
    "change_log_rows": ("Rows of the log of its changes.", lambda one: one.log_rows),
    "queries": ("Queries that named it since it was accelerated.", lambda one: one.asked),
    "columnar_queries": (
        "Those of them that segments answered, at least in part.",
        lambda one: one.answered,
    ),
    "tracking_broken": (
        "Whether its changes may have gone unnoticed: 1 or 0.",
        lambda one: one.problem is not None,
    ),
}

_log = structlog.stdlib.get_logger("app.tables")


class TableMetrics:
    """Gauges by table; there are as many as operators accelerate."""

    def __init__(
        self,
        registry: CollectorRegistry,
        owner: Database,
        reader: Database,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner = owner
        self._reader = reader
        self._monotonic = monotonic
        self._due_at = float("-inf")
        self._known: set[str] = set()
        self._gauges = {
            name: Gauge(
                f"millrace_app_table_{name}",
                meaning,
                ("table",),
                multiprocess_mode="livemostrecent",
                registry=registry,
            )
            for name, (meaning, _) in _GAUGES.items()
        }

    def look(self) -> None:
        """Show what there is now; while PostgreSQL is away, what there was."""
        if self._monotonic() < self._due_at:
            return
        self._due_at = self._monotonic() + EVERY_S
        try:
            with self._owner.connection() as owner, self._reader.connection() as reader:
                found = {written_name(one.schema, one.name): one for one in survey(owner, reader)}
        except (DatabaseError, psycopg.Error) as error:
            _log.debug("accelerated tables not counted", error=str(error))
            return
        self._known |= set(found)
        for name, gauge in self._gauges.items():
            value = _GAUGES[name][1]
            for table in self._known:  # also those that are accelerated no more
                gauge.labels(table).set(float(value(found[table])) if table in found else 0.0)

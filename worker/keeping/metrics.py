"""What Prometheus reads of a worker's keeper: names `millrace_worker_segment…`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from segments.reports import CAUSES

_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class KeepingMetrics:
    """Counts what the keeper's process reports."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows = Counter(
            "millrace_worker_segment_rows",
            "Rows copied into segments.",
            registry=registry,
        )
        self._bytes = Counter(
            "millrace_worker_segment_bytes",
            "Bytes of the segments that were written.",
            registry=registry,
        )
        self._seconds = Histogram(
            "millrace_worker_segment_build_seconds",
            "How long the building of a segment took.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._failures = Counter(
            "millrace_worker_segment_build_failures",
            "Builds of segments that failed, by cause.",
            ("cause",),
            registry=registry,
        )
        for cause in CAUSES:
            self._failures.labels(cause)
        self._removed = Counter(
            "millrace_worker_segment_files_removed",
            "Files of segments that nobody needed any more, and that were removed.",
            registry=registry,
        )
        self._up = Gauge(
            "millrace_worker_keeper_up",
            "Whether the process that keeps segments runs: 1 or 0.",
            registry=registry,
        )

    def up(self, *, is_up: bool) -> None:
        """Note whether the process runs."""
        self._up.set(is_up)

    def built(self, rows: int, size: int, seconds: float) -> None:
        """Count a segment."""
        self._rows.inc(rows)
        self._bytes.inc(size)
        self._seconds.observe(seconds)

    def failed(self, cause: str) -> None:
        """Count a build that failed."""
        self._failures.labels(cause).inc()

    def removed(self, files: int) -> None:
        """Count files that were removed."""
        self._removed.inc(files)

"""Metrics of jobs: what the ledger holds, and what this replica has accepted."""

from collections import Counter as Counts
from collections.abc import Iterable, Mapping

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from db.errors import DatabaseError
from jobs.survey import Survey

JOB_STATES = ("queued", "running", "paused")
TASK_STATES = ("held", "ready", "leased", "dead")
OTHER = "other"

_log = structlog.stdlib.get_logger("app.jobs")


class JobMetrics:
    """Gauges of what all replicas share; labels are bounded by the kinds that this one knows."""

    def __init__(self, registry: CollectorRegistry, survey: Survey, kinds: Iterable[str]) -> None:
        self._survey = survey
        self._kinds = (*kinds, OTHER)
        self._accepted = Counter(
            "millrace_app_jobs_accepted",
            "Jobs accepted by this replica, by kind.",
            ("kind",),
            registry=registry,
        )
        self._jobs = Gauge(
            "millrace_app_jobs",
            "Jobs that are not finished, by kind and state; all replicas share them.",
            ("kind", "state"),
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self._tasks = Gauge(
            "millrace_app_job_tasks",
            "Tasks of jobs that are open, or dead letters, by kind and state.",
            ("kind", "state"),
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self._due = Gauge(
            "millrace_app_job_tasks_due",
            "Tasks of jobs that wait for a free slot.",
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self._oldest = Gauge(
            "millrace_app_job_tasks_oldest_due_seconds",
            "How long the oldest of those tasks has been due.",
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        for kind in self._kinds[:-1]:
            self._accepted.labels(kind)

    def accepted(self, kind: str) -> None:
        """Count an accepted job."""
        self._accepted.labels(kind).inc()

    def look(self) -> None:
        """Show what the ledger holds now; while PostgreSQL is away, what it held."""
        try:
            census = self._survey.census()
        except DatabaseError as error:
            _log.debug("jobs not counted", error=str(error))
            return
        self._show(self._jobs, census.jobs, JOB_STATES)
        self._show(self._tasks, census.tasks, TASK_STATES)
        self._due.set(census.due)
        self._oldest.set(census.oldest_due_s)

    def _show(
        self, gauge: Gauge, found: Mapping[tuple[str, str], int], states: Iterable[str]
    ) -> None:
        counts = Counts[tuple[str, str]]()
        for (kind, state), count in found.items():
            counts[kind if kind in self._kinds else OTHER, state] += count
        for kind in self._kinds:
            for state in states:  # also those that are gone by now
                gauge.labels(kind, state).set(counts[kind, state])

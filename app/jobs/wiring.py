"""What the calls about jobs work with, built once in each serving process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from app.event_places import EventPlaces
from app.jobs.acceptance import Acceptance
from app.jobs.event_stream import JobEventStreams
from app.jobs.form import JobForms
from app.jobs.job_type import JobTools, JobType
from app.jobs.metrics import JobMetrics
from app.jobs.types.checksum_table import ChecksumTableType
from app.jobs.types.diff_tables import DiffTablesType
from app.jobs.types.hash_query import HashQueryType
from app.jobs.types.hash_rows import HashRowsType
from jobs.output import Output
from jobs.service import Jobs
from jobs.survey import Survey

# each in a file of its own in app/jobs/types
JOB_TYPES: tuple[type[JobType[Any]], ...] = (
    HashRowsType,
    HashQueryType,
    ChecksumTableType,
    DiffTablesType,
)


@dataclass(frozen=True)
class JobDesk:
    """Accepts jobs, tells of them, and ends them; `types` are the kinds by name."""

    jobs: Jobs
    types: Mapping[str, JobType[Any]]
    survey: Survey
    metrics: JobMetrics
    acceptance: Acceptance
    forms: JobForms
    events: JobEventStreams
    output: Output


def build_jobs(
    jobs: Jobs,
    tools: JobTools,
    places: EventPlaces,
    most_json_bytes: int,
    registry: CollectorRegistry,
    kinds: Sequence[type[JobType[Any]]] = JOB_TYPES,
) -> JobDesk:
    """Build it; nothing is connected."""
    types = {kind.name: kind(tools) for kind in kinds}
    survey = Survey(tools.own)
    metrics = JobMetrics(registry, survey, types)
    acceptance = Acceptance(tools.own, jobs, types, metrics.accepted)
    return JobDesk(
        jobs=jobs,
        types=types,
        survey=survey,
        metrics=metrics,
        acceptance=acceptance,
        forms=JobForms(acceptance, tools.uploads, most_json_bytes),
        events=JobEventStreams(jobs, places),
        output=Output(tools.own),
    )

"""What is told of jobs, their tasks, events and dead letters."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from app.jobs.job_type import JobType
from app.models_jobs import (
    DeadLetterCause,
    DeadLetterDocument,
    JobDocument,
    JobError,
    JobEventDocument,
    JobLinks,
    JobProgress,
    TaskDocument,
    TaskFailure,
)
from jobs.dead_letters import Cluster
from jobs.event import JobEvent
from jobs.record import DeadLetter, Job
from jobs.task_record import TaskRecord


def address(job_id: str, *rest: str) -> str:
    """Return the path of a job, or of something below it."""
    return "/".join(("/v1/jobs", job_id, *rest))


def link(path: str, **parameters: str | int | None) -> str:
    """Return a path with those parameters that are given."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def job_document(job: Job, kind: JobType[Any] | None) -> JobDocument:
    """Return what is told of a job; `kind` None: this replica does not know its kind.

    Of such a job no parameters are told: which of them are secret is not known.
    """
    streams = kind.streams if kind is not None else {}
    return JobDocument(
        id=job.id,
        kind=job.kind,
        state=job.state,
        priority=job.priority,
        parameters=kind.shown(job.parameters) if kind is not None else {},
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        expires_at=job.expires_at,
        progress=progress_document(job),
        error=_error(job.error_class, job.error),
        summary=None if job.summary is None else _value(job.summary),
        links=JobLinks(
            self=address(job.id),
            events=address(job.id, "events"),
            log=address(job.id, "log"),
            tasks=address(job.id, "tasks"),
            result=address(job.id, "result") if "result" in streams else None,
            errors=address(job.id, "errors") if "errors" in streams else None,
        ),
    )


def progress_document(job: Job) -> JobProgress:
    """Return how far a job has come."""
    progress = job.progress
    remaining_s = None if job.is_finished else progress.remaining_s
    return JobProgress(
        tasks=dict(progress.tasks),
        rows=progress.rows,
        bytes=progress.bytes,
        expected_rows=progress.expected_rows,
        expected_bytes=progress.expected_bytes,
        rows_per_s=_rounded(progress.rows_per_s),
        bytes_per_s=_rounded(progress.bytes_per_s),
        remaining_s=_rounded(remaining_s),
        share=_share(job),
    )


def lasting(progress: JobProgress) -> dict[str, Any]:
    """Return what of the progress does not change by the mere passing of time."""
    return progress.model_dump(exclude={"rows_per_s", "bytes_per_s", "remaining_s"})


def etag(document: JobDocument) -> str:
    """Return a tag that two documents share when they tell the same, but for the pace."""
    told = {**document.model_dump(), "progress": lasting(document.progress)}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    return digest.hexdigest()[:32]


def event_document(event: JobEvent) -> JobEventDocument:
    """Return what is told of an event."""
    return JobEventDocument(**vars(event))


def event_line(event: JobEvent) -> str:
    """Return an event as a line of text; breaks within it are shown as the space they are."""
    where = "" if event.task is None else f" [task {event.task}, attempt {event.attempt}]"
    what = "" if event.event == "log" else f" {event.event}"
    message = " ".join(event.message.split())
    return f"{event.at} {event.level:<7}{where}{what}{' ' if message else ''}{message}"


def task_document(task: TaskRecord) -> TaskDocument:
    """Return what is told of a task."""
    return TaskDocument(
        number=task.number,
        name=task.name,
        state=task.state,
        attempt=task.attempt,
        max_attempts=task.max_attempts,
        worker=task.worker,
        rows=task.rows,
        bytes=task.bytes,
        due_at=task.due_at,
        started_at=task.started_at,
        finished_at=task.finished_at,
        error=_error(task.error_class, task.error),
        failures=_failures(task.failures),
    )


def dead_letter_document(letter: DeadLetter) -> DeadLetterDocument:
    """Return what is told of a dead letter: not its parameters, which may hold secrets."""
    return DeadLetterDocument(
        job=letter.job_id,
        task=letter.number,
        kind=letter.kind,
        name=letter.name,
        attempts=letter.attempts,
        cause=letter.cause,
        error=JobError(error_class=letter.error_class, message=letter.error),
        died_at=letter.died_at,
        failures=_failures(letter.failures),
    )


def cause_document(cluster: Cluster) -> DeadLetterCause:
    """Return what is told of dead letters with one cause."""
    return DeadLetterCause(**vars(cluster))


def _share(job: Job) -> float | None:
    progress = job.progress
    if job.state == "done":
        return 1.0
    if progress.expected_rows:
        return min(1.0, round(progress.rows / progress.expected_rows, 4))
    if progress.expected_bytes:
        return min(1.0, round(progress.bytes / progress.expected_bytes, 4))
    # the plan alone says nothing of how much there is
    ended = sum(progress.tasks.get(state, 0) for state in ("done", "dead", "cancelled"))
    return round(ended / progress.total, 4) if progress.total > 1 else None


def _error(error_class: str | None, error: str | None) -> JobError | None:
    if error_class is None:
        return None
    return JobError(error_class=error_class, message=error or "")


def _failures(failures: Sequence[Mapping[str, Any]]) -> list[TaskFailure]:
    return [
        TaskFailure(
            attempt=failure["attempt"],
            at=failure["at"],
            error_class=failure["error_class"],
            message=failure["error"],
            due_at=failure["due_at"],
        )
        for failure in failures
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _value(text: str) -> Any:
    """Return the JSON value of a kind's summary; one that is no JSON is shown as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text

"""Jobs and tasks as the ledger keeps them.  Times are ISO 8601 in UTC."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

from db.pool import Row
from jobs.states import FINISHED, JobState, TaskState

DEFAULT_PRIORITY = 5


@dataclass(frozen=True)
class NewJob:
    """A job to be accepted.  `parameters` are JSON; of two priorities the higher goes first.

    `attempts` are those of its plan.  `request` is what a request with the same key must be like,
    where the parameters hold what differs each time; None: they, the kind and the priority.
    `origin`: under which ids its tasks are logged and traced, as headers of a task.
    """

    kind: str
    parameters: Mapping[str, Any]
    priority: int = DEFAULT_PRIORITY
    idempotency_key: str | None = None
    attempts: int = 5
    request: str | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the request, always the same for the same request."""
        if self.request is not None:
            return self.request
        request = [self.kind, self.parameters, self.priority]
        return json.dumps(request, sort_keys=True, separators=(",", ":"))


def digest_of(request: str) -> str:
    """Return the digest by which the ledger knows a request again."""
    return hashlib.sha256(request.encode()).hexdigest()


@dataclass(frozen=True)
class NewTask:
    """A task to be added to a job.  `name` tells the kind what to do, `parameters` are JSON.

    A task that `is_last` is run once all others of its job are done.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_last: bool = False


@dataclass(frozen=True)
class Progress:
    """What has been done of a job; `expected_…` is None where nobody knows.

    `tasks` counts by state; `rows` and `bytes` are those of tasks that are done, and of running
    ones so far; `attempts` are all at its tasks, those not counted that came before a replay.
    `ran_s`: seconds it has been running, not paused and not over.
    """

    tasks: Mapping[TaskState, int]
    rows: int
    bytes: int
    attempts: int
    ran_s: float
    expected_rows: int | None
    expected_bytes: int | None

    @property
    def total(self) -> int:
        """Return the number of tasks known so far."""
        return sum(self.tasks.values())

    @property
    def rows_per_s(self) -> float | None:
        """Return the rows a second over the time it ran; None before it has run."""
        return self.rows / self.ran_s if self.ran_s > 0 else None

    @property
    def bytes_per_s(self) -> float | None:
        """Return the bytes a second over the time it ran; None before it has run."""
        return self.bytes / self.ran_s if self.ran_s > 0 else None

    @property
    def remaining_s(self) -> float | None:
        """Return how long the rest takes at the pace so far; None where nothing tells.

        By rows where it is known how many will come, else by bytes, else by tasks, of which more
        may come.
        """
        ended = sum(self.tasks.get(state, 0) for state in ("done", "dead", "cancelled"))
        for done, expected in (
            (self.rows, self.expected_rows),
            (self.bytes, self.expected_bytes),
            (ended, self.total),
        ):
            if expected is not None:
                left = max(0, expected - done)
                return self.ran_s * left / done if done > 0 else None
        return None


@dataclass(frozen=True)
class Job:
    """One job; `error_class` and `error` say why it failed.

    `summary` is the JSON text that its last task left as result; of a job without a last task, its
    plan's.
    """

    id: str
    kind: str
    parameters: Mapping[str, Any]
    state: JobState
    priority: int
    error_class: str | None
    error: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None
    summary: str | None
    progress: Progress

    @property
    def is_finished(self) -> bool:
        """Whether nothing of it runs any more, unless somebody has it retried."""
        return self.state in FINISHED

    @property
    def is_quiet(self) -> bool:
        """Whether it is finished, and what ran of it when it failed has ended, too."""
        return self.is_finished and not self.progress.tasks.get("leased")

    @classmethod
    def read(cls, row: Row) -> Self:
        """Return the job of a row of job_sql.COLUMNS."""
        job_id, kind, parameters, state, priority, error_class, error, *rest = row
        created_at, started_at, finished_at, expires_at, summary, tasks, *counts = rest
        rows, size, attempts, ran_s, expected_rows, expected_bytes = counts
        return cls(
            job_id or "",
            kind or "",
            json.loads(parameters or "{}"),
            cast("JobState", state),
            int(priority or 0),
            error_class,
            error,
            created_at or "",
            started_at,
            finished_at,
            expires_at,
            summary,
            Progress(
                json.loads(tasks or "{}"),
                int(rows or 0),
                int(size or 0),
                int(attempts or 0),
                float(ran_s or 0),
                _count(expected_rows),
                _count(expected_bytes),
            ),
        )


@dataclass(frozen=True)
class TaskClaim:
    """One task as a worker holds it: `token` proves it, `attempt` counts from 1.

    `outages`: how many attempts were given back since PostgreSQL was away.
    """

    job_id: str
    number: int
    kind: str
    name: str
    parameters: Mapping[str, Any]
    attempt: int
    max_attempts: int
    token: int
    outages: int
    job_parameters: Mapping[str, Any]
    job_state: JobState
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int, int]:
        """What no other claim has."""
        return self.job_id, self.number, self.token

    @classmethod
    def read(cls, row: Sequence[str | None]) -> Self:
        """Return the claim of a row of task_sql.CLAIM."""
        job_id, number, kind, name, parameters, attempt, attempts, token, *rest = row
        outages, of_job, state, origin = rest
        return cls(
            job_id or "",
            int(number or 0),
            kind or "",
            name or "",
            json.loads(parameters or "{}"),
            int(attempt or 0),
            int(attempts or 0),
            int(token or 0),
            int(outages or 0),
            json.loads(of_job or "{}"),
            cast("JobState", state),
            json.loads(origin or "{}"),
        )


@dataclass(frozen=True)
class DeadLetter:
    """A task that was given up.  `failures` are its latest attempts, oldest first."""

    job_id: str
    number: int
    kind: str
    name: str
    parameters: Mapping[str, Any]
    attempts: int
    error_class: str
    error: str
    cause: str
    died_at: str
    failures: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, row: Row) -> Self:
        """Return the dead letter of a row of dead_letter_sql.LIST."""
        job_id, number, kind, name, parameters, attempts, *texts, failures = row
        error_class, error, cause, died_at = (text or "" for text in texts)
        return cls(
            job_id or "",
            int(number or 0),
            kind or "",
            name or "",
            json.loads(parameters or "{}"),
            int(attempts or 0),
            error_class,
            error,
            cause,
            died_at,
            json.loads(failures or "[]"),
        )


def _count(text: str | None) -> int | None:
    return None if text is None else int(text)

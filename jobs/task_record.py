"""One task of a job, as it is shown to whoever asks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from db.pool import Row
from jobs.states import TaskState


@dataclass(frozen=True)
class TaskRecord:
    """A task's state now.  Times are ISO 8601 in UTC; None: not yet, or not any more.

    `attempt` counts from 1, 0: none has begun; of `max_attempts` the last one failed makes a dead
    letter.  `rows` and `bytes` are those of the running attempt, too.  `error_class` and `error`
    are those of the latest failed attempt, `failures` of the latest 20: attempt, at, error_class,
    error, due_at.  `due_at`: a task that is ready is not claimed before.
    """

    number: int
    name: str
    state: TaskState
    attempt: int
    max_attempts: int
    worker: str | None
    due_at: str
    started_at: str | None
    finished_at: str | None
    rows: int
    bytes: int
    error_class: str | None
    error: str | None
    failures: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, row: Row) -> Self:
        """Return the task of a row of job_sql.TASKS."""
        number, name, state, attempt, attempts, worker, due_at, started_at, finished_at, *rest = row
        rows, size, error_class, error, failures = rest
        return cls(
            int(number or 0),
            name or "",
            cast("TaskState", state),
            int(attempt or 0),
            int(attempts or 0),
            worker,
            due_at or "",
            started_at,
            finished_at,
            int(rows or 0),
            int(size or 0),
            error_class,
            error,
            json.loads(failures or "[]"),
        )

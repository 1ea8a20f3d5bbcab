"""What has happened to a job: changes of its state, failures of its tasks, lines of their logs."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, cast

from db.pool import Connection, Row
from jobs import event_sql
from jobs.context import LogLevel, LogLine
from jobs.errors import CursorMalformed

# `log` is what a task said; `failed_attempt`, `lease_lapsed`, `dead_letter`, `handed_on` and
# `outage` are a task's, the others the job's
EventName: TypeAlias = Literal[
    "queued", "running", "paused", "resumed", "cancelled", "failed", "done", "retried",
    "failed_attempt", "lease_lapsed", "dead_letter", "handed_on", "outage", "log",
]  # fmt: skip
LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class JobEvent:
    """One event; `id` is the cursor that goes on behind it.

    `at` is ISO 8601 in UTC: by PostgreSQL's clock, of a `log` by the worker's.  `task` and
    `attempt` are None for what concerns the job as a whole.
    """

    id: str
    at: str
    event: EventName
    level: LogLevel
    message: str
    task: int | None
    attempt: int | None

    @classmethod
    def read(cls, row: Row) -> Self:
        """Return the event of a row of event_sql.READ."""
        cursor, at, event, level, message, task, attempt = row
        return cls(
            cursor or "",
            at or "",
            cast("EventName", event),
            cast("LogLevel", level),
            message or "",
            None if task is None else int(task),
            None if attempt is None else int(attempt),
        )


@dataclass(frozen=True)
class NewEvent:
    """An event to be written; `at` in seconds since 1970, None: now, by PostgreSQL's clock."""

    job_id: str
    event: EventName
    level: LogLevel = "info"
    message: str = ""
    task: int | None = None
    attempt: int | None = None
    at: float | None = None

    @classmethod
    def of_line(cls, job_id: str, task: int, attempt: int, line: LogLine) -> Self:
        """Return what a task said as an event."""
        return cls(job_id, "log", line.level, line.message, task, attempt, line.at)

    def value(self) -> list[Any]:
        """Return what event_sql.GIVEN reads."""
        message = self.message.replace("\0", "")
        if len(message) > event_sql.LONGEST_MESSAGE:
            message = message[: event_sql.LONGEST_MESSAGE - 1] + "…"
        return [self.job_id, self.task, self.attempt, self.level, self.event, message, self.at]


def as_json(events: Iterable[NewEvent]) -> str:
    """Return events as the statements take them."""
    return json.dumps([event.value() for event in events])


def append(connection: Connection, events: Iterable[NewEvent]) -> None:
    """Write events in the caller's transaction, as the last that it does: see event_sql."""
    text = as_json(events)
    if text != "[]":
        connection.execute(event_sql.APPEND, [text])


def position(cursor: str | None) -> str:
    """Return the id that a cursor stands for, "0" for none.  Raises CursorMalformed."""
    if cursor is None:
        return "0"
    if not (cursor.isascii() and cursor.isdecimal()) or int(cursor) > _LARGEST_ID:
        raise CursorMalformed("No event of a job has this id; take the one of the last event seen.")
    return cursor


def at_least(level: LogLevel | None) -> str | None:
    """Return the levels from that one on, with commas between; None: all."""
    return None if level is None else ",".join(LEVELS[LEVELS.index(level) :])

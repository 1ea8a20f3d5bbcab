"""A kind of job that leaves rows, both sides of it, and a replica that knows it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from flask import Flask
from pydantic import Field

from app.jobs.job_type import JobTools, JobType, wrong_parameter
from app.main import create_app as create_replica
from app.models import RequestModel
from db.database import Database
from db.pool import Connection
from jobs.context import TaskContext
from jobs.errors import PermanentFailure
from jobs.kind import Done, Kind
from jobs.output import Output
from jobs.record import NewTask, TaskClaim
from jobs.retry import RetryPolicy
from jobs.uploads import Uploads

# each in a task of its own piece: what CSV and JSON write differently
VALUES: Sequence[Any] = (
    "plain", "", None, 'a "quoted" one', "a,b", "two\nlines", "ü€😀", True, False, 1.5, -7,
    {"a": [1, "],["]}, "\\.", "\r", 'ends with "', "],[", "\ttab", 2**60,
)  # fmt: skip


def row(number: int) -> list[Any]:
    """Return the row of that number."""
    return [number, VALUES[number // 3 % len(VALUES)] if number % 3 else f"row {number}"]


class WrittenParameters(RequestModel):
    """What the kind takes."""

    tasks: list[int] = Field(description="How many rows each task writes.")
    slow: int | None = Field(default=None, description="The number of a task that never ends.")
    broken: int | None = Field(
        default=None, description="The number of a task that fails, until it is tried again."
    )
    piece: int = Field(default=7, description="How many rows are written at once.")
    key: str | None = Field(default=None, description="A secret.")
    source: str | None = Field(default=None, description="An upload.")


class WrittenType(JobType[WrittenParameters]):
    """The replica's side."""

    name = "written"
    summary = "Writes rows."
    parameters = WrittenParameters
    streams: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "result": ("row", "value"),
        "errors": ("row",),
    }
    file_parameter = "source"

    def __init__(self, tools: JobTools) -> None:
        self._uploads = tools.uploads

    def accept(self, parameters: WrittenParameters) -> dict[str, Any]:
        if sum(parameters.tasks) > 10**7:
            raise wrong_parameter("tasks", "So many rows are not written.", "Ask for fewer.")
        return parameters.model_dump()

    def attach(self, connection: Connection, job_id: str, kept: Mapping[str, Any]) -> None:
        if kept["source"] is not None:
            self._uploads.attach(connection, kept["source"], job_id)

    def shown(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in kept.items() if name != "key"}


class Written(Kind):
    """The worker's side: rows in pieces, numbered through all tasks."""

    name = "written"
    retry = RetryPolicy(base_s=0.01, attempts=2)

    def __init__(self, database: Database) -> None:
        self._output = Output(database)
        self._uploads = Uploads(database)

    def plan(self, parameters: Mapping[str, Any], context: TaskContext) -> Done:
        context.log("the plan says so")
        first, tasks = 0, []
        for count in parameters["tasks"]:
            tasks.append(NewTask("write", {"first": first, "count": count}))
            first += count
        size = 0
        if parameters["source"] is not None:
            size = sum(map(len, self._uploads.read(parameters["source"])))
        return Done(adds=tasks, expected_rows=first, result=f'{{"source_bytes": {size}}}')

    def run(self, task: TaskClaim, context: TaskContext) -> Done:
        first, count = task.parameters["first"], task.parameters["count"]
        context.log(f"from {first}")
        if task.number == task.job_parameters["broken"] and task.token == 1:
            raise PermanentFailure(f"row {first} is broken", "BrokenRow")
        if task.number == task.job_parameters["slow"]:
            context.pause(3600)
        numbers, size = range(first, first + count), task.job_parameters["piece"]
        for place in range(0, count, size):
            rows = [row(number) for number in numbers[place : place + size]]
            self._output.stage(task, "result", place, rows)
        return Done(rows=count, bytes=10 * count)


class ToldParameters(RequestModel):
    """What the other kind takes."""

    tasks: list[dict[str, Any]] = Field(description="What to do.")


class Told(JobType[ToldParameters]):
    """The replica's side of another kind, without a file and without rows."""

    name = "programmed"
    summary = "Does as it is told."
    parameters = ToldParameters
    streams: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def accept(self, parameters: ToldParameters) -> dict[str, Any]:
        return parameters.model_dump()


def create_app() -> Flask:
    """Build a replica that knows these kinds."""
    return create_replica((WrittenType, Told))

"""Bodies of the calls about durable jobs."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from app.jobs.job_type import JobType
from app.models import RequestModel, ResponseModel
from jobs.context import LogLevel
from jobs.event import EventName
from jobs.record import DEFAULT_PRIORITY
from jobs.states import JobState, TaskState

LONGEST_REPLAY_S = 86_400.0


class NewJobBody(RequestModel):
    """A job that is asked for."""

    kind: str = Field(description="What to do; `GET /v1/jobs/kinds` lists what there is.")
    parameters: dict[str, Any] = Field(default={}, description="As the kind takes them.")
    priority: int = Field(
        default=DEFAULT_PRIORITY, ge=0, le=9, description="Of two jobs the higher goes first."
    )


def job_request_model(types: Sequence[type[JobType[Any]]]) -> type[BaseModel]:
    """Return the model that documents what is read as NewJobBody: with the kinds that there are."""
    if not types:
        return NewJobBody
    names = Literal[tuple(each.name for each in types)]  # type: ignore[valid-type]
    union: Any = types[0].parameters
    for each in types[1:]:
        union = union | each.parameters
    fields = NewJobBody.model_fields
    known: dict[str, Any] = {
        "kind": (names, Field(description=fields["kind"].description)),
        "parameters": (union, Field(description=fields["parameters"].description)),
        "priority": (int, fields["priority"]),
    }
    return create_model(
        "JobRequest", __config__=ConfigDict(extra="forbid"), __doc__=NewJobBody.__doc__, **known
    )


class JobForm(BaseModel):
    """A job with its file, as a form; `job` comes best first: what is wrong is said at once."""

    job: NewJobBody = Field(description="The job, as JSON, without the parameter for its file.")
    file: bytes = Field(description="The file, of any size.")


class JobLinks(ResponseModel):
    """Where else a job is told of; relative references."""

    self: str
    events: str
    log: str
    tasks: str
    result: str | None = Field(description="Rows; null where the kind leaves none.")
    errors: str | None = Field(description="Rows that failed; null where the kind leaves none.")


class JobProgress(ResponseModel):
    """How far a job has come.  What nobody knows is null."""

    tasks: dict[TaskState, int] = Field(description="How many tasks are in each state.")
    rows: int
    bytes: int
    expected_rows: int | None
    expected_bytes: int | None
    rows_per_s: float | None = Field(description="Over the time that it ran.")
    bytes_per_s: float | None = Field(description="Over the time that it ran.")
    remaining_s: float | None = Field(description="Until it is done, at the pace so far.")
    share: float | None = Field(description="Of the whole, from 0 to 1.")


class JobError(ResponseModel):
    """Why a job failed."""

    model_config = ConfigDict(serialize_by_alias=True)

    error_class: str = Field(serialization_alias="class")
    message: str


class JobDocument(ResponseModel):
    """A durable job."""

    id: str
    kind: str
    state: JobState
    priority: int
    parameters: dict[str, Any] = Field(description="As it was accepted, without secrets.")
    created_at: str = Field(description="ISO 8601, by PostgreSQL's clock, as all times.")
    started_at: str | None
    finished_at: str | None
    expires_at: str | None = Field(description="When it is forgotten, with all it left.")
    progress: JobProgress
    error: JobError | None = Field(description="Why it failed; else null.")
    summary: Any = Field(description="What came out, as the kind tells it; null until then.")
    links: JobLinks


class JobPage(ResponseModel):
    """Some jobs, newest first."""

    jobs: list[JobDocument]
    next: str | None = Field(description="Where the next ones are; null after the last.")


class JobKindDocument(ResponseModel):
    """A kind of job."""

    name: str
    summary: str
    parameters: dict[str, Any] = Field(description="JSON schema of its parameters.")
    file_parameter: str | None = Field(
        description="The parameter that names an upload, or that a file sent with the job fills."
    )
    streams: dict[str, list[str]] = Field(description="The rows it leaves: columns of each stream.")


class JobKinds(ResponseModel):
    """The kinds of jobs that there are."""

    kinds: list[JobKindDocument]


class TaskFailure(ResponseModel):
    """One failed attempt."""

    model_config = ConfigDict(serialize_by_alias=True)

    attempt: int
    at: str
    error_class: str = Field(serialization_alias="class")
    message: str
    due_at: str | None = Field(description="When the next attempt was due; null after the last.")


class TaskDocument(ResponseModel):
    """One task of a job."""

    number: int
    name: str
    state: TaskState
    attempt: int = Field(description="Which attempt it is; 0 before the first.")
    max_attempts: int
    worker: str | None = Field(description="Who runs it just now.")
    rows: int
    bytes: int
    due_at: str = Field(description="Not begun before.")
    started_at: str | None
    finished_at: str | None
    error: JobError | None = Field(description="Of the latest failed attempt.")
    failures: list[TaskFailure] = Field(description="The latest attempts that failed.")


class TaskPage(ResponseModel):
    """Some tasks of a job, by number."""

    tasks: list[TaskDocument]
    next: str | None = Field(description="Where the next ones are; null after the last.")


class JobEventDocument(ResponseModel):
    """What has happened: a change of the job's state, a task's failure, or a line of its log."""

    id: str = Field(description="Its place among the job's, for `after` and `Last-Event-ID`.")
    at: str
    event: EventName = Field(description="`log` for what a task said.")
    level: LogLevel
    message: str
    task: int | None = Field(description="Null for what concerns the job as a whole.")
    attempt: int | None


class LogPage(ResponseModel):
    """Some lines of a job's log, oldest first."""

    lines: list[JobEventDocument]
    next: str | None = Field(description="Where the next lines are, or will be.")


class ColumnName(ResponseModel):
    """A column of rows."""

    name: str


class RowsHead(ResponseModel):
    """The first line of rows as NDJSON; the others are arrays, and at last an object."""

    job: str = Field(description="The job's id.")
    stream: str
    columns: list[ColumnName]


class RetryOutcome(ResponseModel):
    """What a retry has begun."""

    replayed: int = Field(description="How many tasks run again.")
    job: JobDocument


class DeadLetterDocument(ResponseModel):
    """A task that was given up."""

    job: str = Field(description="Id of its job.")
    task: int = Field(description="Its number in the job.")
    kind: str
    name: str
    attempts: int
    cause: str = Field(description="The error without what varies in it.")
    error: JobError
    died_at: str
    failures: list[TaskFailure] = Field(description="The latest attempts, oldest first.")


class DeadLetterPage(ResponseModel):
    """Some dead letters, by job and task."""

    dead_letters: list[DeadLetterDocument]
    next: str | None = Field(description="Where the next ones are; null after the last.")


class DeadLetterCause(ResponseModel):
    """Dead letters with one cause."""

    kind: str
    error_class: str
    cause: str
    count: int
    jobs: int = Field(description="Of how many jobs.")
    first_at: str
    last_at: str
    example: str = Field(description="The latest error.")


class DeadLetterCauses(ResponseModel):
    """What a replay would run again, by cause, the most frequent first."""

    causes: list[DeadLetterCause]
    count: int = Field(description="Of all together.")


class DeadLetterSelection(RequestModel):
    """Which dead letters are meant: those that all the given members fit."""

    kind: str | None = Field(default=None, min_length=1, description="Of this kind of job.")
    error_class: str | None = Field(default=None, min_length=1, description="With this error.")
    cause: str | None = Field(default=None, min_length=1, description="With this cause.")
    job: str | None = Field(default=None, min_length=1, description="Of this job.")
    task: int | None = Field(default=None, ge=0, lt=2**31, description="Of this number in the job.")
    all: Literal[True] | None = Field(
        default=None, description="All there are: must be said, and with nothing else."
    )


class ReplayRequest(RequestModel):
    """Dead letters to be run again."""

    filter: DeadLetterSelection = Field(description="Which ones.")
    over_s: float = Field(
        default=0.0, ge=0, le=LONGEST_REPLAY_S, allow_inf_nan=False,
        description="Seconds that they are spread over, so that they do not come all at once.",
    )  # fmt: skip
    dry_run: bool = Field(default=False, description="Only tell what would be run again.")


class ReplayOutcome(ResponseModel):
    """What was replayed."""

    replayed: int = Field(description="How many tasks run again; 0 for a dry run.")
    causes: list[DeadLetterCause] | None = Field(
        description="What would be replayed, for a dry run; else null."
    )

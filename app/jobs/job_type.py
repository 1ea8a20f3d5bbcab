"""What the API must know of a kind of job; the worker's side of it is jobs.kind.Kind."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from app.problem_types import VALIDATION_FAILED
from app.problems import FieldError, Problem
from app.queries.service import QueryService
from db.database import Database
from db.pool import Connection
from jobs.record import Job
from jobs.service import Jobs
from jobs.uploads import Uploads
from query.statement import Parser

ParametersT = TypeVar("ParametersT", bound=BaseModel)


@dataclass(frozen=True)
class JobTools:
    """What kinds of jobs are built with.

    `own` reaches our own tables, `reader` the users' ones as the role that users' SQL runs as;
    `databases` are the names of further databases that requests may name.  `hash_keys` are secret
    keys by the names that requests have for them.
    """

    own: Database
    reader: Database
    uploads: Uploads
    parser: Parser
    databases: frozenset[str]
    queries: QueryService
    hash_keys: Mapping[str, bytes]


class JobType(ABC, Generic[ParametersT]):
    """One kind of job.  A replica has one instance, which its threads use at the same time."""

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[type[BaseModel]]
    streams: ClassVar[Mapping[str, tuple[str, ...]]]
    """Columns of what the kind's tasks write as jobs.output; `result` and `errors` have routes."""

    file_parameter: ClassVar[str | None] = None
    """The parameter that names an upload; a file that comes with the request becomes one."""

    records_stream: ClassVar[str | None] = None
    """The stream of (row, record in base64) of failed rows, which has a route as they were sent."""

    def __init__(self, tools: JobTools) -> None:
        """Keep what the kind needs of `tools`."""

    @abstractmethod
    def accept(self, parameters: ParametersT) -> dict[str, Any]:
        """Check what the model cannot, and return what the ledger keeps, as JSON knows it.

        Raises Problem: nothing is accepted that is known not to work.
        """

    def attach(self, connection: Connection, job_id: str, kept: Mapping[str, Any]) -> None:
        """Do what else belongs to accepting, in the transaction that writes the job."""

    def shown(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is told of the parameters that were kept: no keys, no passwords."""
        return dict(kept)

    def retry(self, jobs: Jobs, job: Job, body: Mapping[str, Any]) -> int:
        """Run again what failed of a job; return how many tasks.

        `body` is what came with the request, empty when nothing did.  Raises Problem, and
        NotPossible for a cancelled job.
        """
        if body:
            name = next(iter(body))
            raise refused((name,), f"Jobs of kind {self.name} take nothing here.", "Send {}.")
        return jobs.retry(job.id)


def wrong_parameter(name: str, reason: str, remedy: str) -> Problem:
    """Return the problem of a parameter that `JobType.accept` refuses."""
    return refused(("parameters", name), reason, remedy)


def refused(place: tuple[str, ...], reason: str, remedy: str) -> Problem:
    """Return the problem of one wrong place in a request about a job."""
    pointer = "".join(f"/{part}" for part in place)
    error = FieldError(pointer, reason, remedy)
    return Problem(VALIDATION_FAILED, f"{pointer}: {reason} {remedy}", errors=[error])

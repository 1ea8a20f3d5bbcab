"""What the API must know of a kind of job; the worker's side of it is jobs.kind.Kind."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from db.pool import Connection

ParametersT = TypeVar("ParametersT", bound=BaseModel)


class JobType(ABC, Generic[ParametersT]):
    """One kind of job.  A replica has one instance, which its threads use at the same time."""

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[type[BaseModel]]
    streams: ClassVar[Mapping[str, tuple[str, ...]]]
    """Columns of what the kind's tasks write as jobs.output; `result` and `errors` have routes."""

    @abstractmethod
    def accept(self, parameters: ParametersT) -> dict[str, Any]:
        """Check what the model cannot, and return what the ledger keeps, as JSON knows it.

        Raises Problem: nothing is accepted that is known not to work.
        """

    def attach(self, connection: Connection, job_id: str, kept: Mapping[str, Any]) -> None:
        """Do what else belongs to accepting, in the transaction that writes the job."""

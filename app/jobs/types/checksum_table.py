"""The kind checksum_table, as the API takes it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.jobs.job_type import JobTools, JobType
from app.jobs.table_checks import Algorithm, Columns, Key, TableChecks, TableName, Where
from app.models import RequestModel
from jobs.tables.comparison import reading


class ChecksumTableParameters(RequestModel):
    """What is summed up: a table or view, or the rows of a query."""

    table: TableName | None = Field(default=None, description="A table or view, as SQL writes it.")
    query: str | None = Field(default=None, min_length=1, description="One SELECT instead.")
    database: str | None = Field(
        default=None, description="Of the table: a name from the settings. Default: the usual one."
    )
    key: Key | None = Field(
        default=None, description="Columns that tell rows apart. Default: the primary key."
    )
    columns: Columns | None = Field(default=None, description="Which count. Default: all.")
    where: Where | None = Field(default=None, description="A condition: which rows count.")
    algorithm: Algorithm = "lookup3-128"
    max_load: int | None = Field(
        default=None, ge=0, description="Pause while so many other sessions run statements."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.table is None) is (self.query is None):
            raise PydanticCustomError(
                "one_source",
                "Either table or query must be given.",
                {"remedy": "Give one of them."},
            )
        if self.query is not None and (self.key is None or self.where or self.database):
            raise PydanticCustomError(
                "query_source", "A query needs a key, and takes neither where nor database.",
                {"remedy": "Name the key's columns; put a condition into the query itself."},
            )  # fmt: skip
        return self


class ChecksumTableType(JobType[ChecksumTableParameters]):
    """A checksum of a table that no order of rows changes."""

    name = "checksum_table"
    summary = "Checksum of a table or query, with a tree of checksums by key range"
    parameters = ChecksumTableParameters
    streams: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "ranges": ("level", "from", "to", "rows", "checksum")
    }

    def __init__(self, tools: JobTools) -> None:
        self._checks = TableChecks(tools)

    def accept(self, parameters: ChecksumTableParameters) -> dict[str, Any]:
        """Check that it can be read."""
        self._checks.database(("database",), parameters.database)
        if parameters.database is None:
            with self._checks.connection() as connection:
                if parameters.query is not None:
                    relation = self._checks.query(connection, parameters.query)
                else:
                    relation = self._checks.table(connection, ("table",), parameters.table or "")
                reading(relation, parameters.key, parameters.columns)
                self._checks.where(connection, parameters.where, [relation])
        return parameters.model_dump(mode="json")

"""The kind diff_tables, as the API takes it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from app.jobs.job_type import JobTools, JobType
from app.jobs.table_checks import Algorithm, Columns, Key, TableChecks, TableName, Where
from app.models import RequestModel
from jobs.tables.comparison import choose_key, comparison

MOST_SHOWN = 1_000_000


class TableSide(RequestModel):
    """One of the tables: `database` is a name from the settings, None the usual one."""

    table: TableName
    database: str | None = None


class DiffTablesParameters(RequestModel):
    """Which tables are compared, and by what."""

    left: TableSide
    right: TableSide
    key: Key | None = Field(
        default=None, description="Columns that tell rows apart. Default: left's primary key."
    )
    columns: Columns | None = Field(
        default=None, description="Which are compared. Default: those that both have."
    )
    where: Where | None = Field(default=None, description="A condition: which rows count.")
    limit: int = Field(
        default=10_000, ge=0, le=MOST_SHOWN,
        description="How many differences are told of row by row; all are counted.",
    )  # fmt: skip
    algorithm: Algorithm = "lookup3-128"
    max_load: int | None = Field(
        default=None, ge=0, description="Pause while so many other sessions run statements."
    )


class DiffTablesType(JobType[DiffTablesParameters]):
    """The rows in which two tables differ."""

    name = "diff_tables"
    summary = "Differences between two tables, of one database or of two"
    parameters = DiffTablesParameters
    streams: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "result": ("side", "key", "columns", "left", "right"),
        "ranges": ("from", "to", "rows_left", "rows_right", "equal", "differences"),
    }

    def __init__(self, tools: JobTools) -> None:
        self._checks = TableChecks(tools)

    def accept(self, parameters: DiffTablesParameters) -> dict[str, Any]:
        """Check that both can be compared, as far as they lie in the usual database."""
        sides = {"left": parameters.left, "right": parameters.right}
        for place, side in sides.items():
            self._checks.database((place, "database"), side.database)
        with self._checks.connection() as connection:
            found = {
                place: self._checks.table(connection, (place, "table"), side.table)
                for place, side in sides.items()
                if side.database is None
            }
            if len(found) == len(sides):
                comparison(
                    found["left"], found["right"], parameters.key, parameters.columns,
                    one_database=True,
                )  # fmt: skip
            elif "left" in found:
                choose_key(found["left"], parameters.key)
            self._checks.where(connection, parameters.where, list(found.values()))
        return parameters.model_dump(mode="json")

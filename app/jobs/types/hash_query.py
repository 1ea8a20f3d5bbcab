"""The replica's side of the kind `hash_query`; see worker.rows.hash_query."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from app.jobs.job_type import JobTools, JobType, wrong_parameter
from app.jobs.types.hash_options import HashOptions, shown_hash
from app.models_query import Parameter
from app.queries.request import QueryInput, as_text
from app.validation import choose

VET_S = 10.0


class HashQueryParameters(HashOptions):
    """Which rows to hash, and how."""

    sql: str = Field(min_length=1, description="Exactly one SELECT, WITH … SELECT or VALUES.")
    params: list[Parameter] = Field(
        default=[], max_length=1000, description="Values of $1, $2 … in the SQL."
    )
    columns: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=1600,
        description="Names of the query's columns that are hashed, in this order; all, when it is "
        "left out.",
    )
    row_encoding: Literal["canonical", "value"] = Field(
        default="canonical",
        description="What is hashed of a row: its canonical encoding; `value`: the bytes of its "
        "one column, as PostgreSQL writes it.",
    )


class HashQueryType(JobType[HashQueryParameters]):
    """Takes a query's rows in."""

    name = "hash_query"
    summary = "Hashes each row of a SQL query, in the query's order."
    parameters = HashQueryParameters
    streams: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "result": ("row", "digest"),
        "errors": ("row", "line", "reason", "text"),
    }

    def __init__(self, tools: JobTools) -> None:
        self._queries = tools.queries
        self._parser = tools.parser
        self._keys = tools.hash_keys

    def accept(self, parameters: HashQueryParameters) -> dict[str, Any]:
        """Have PostgreSQL plan the query: it is refused as `/v1/query` would refuse it."""
        columns = parameters.columns
        if columns is not None and len(set(columns)) != len(columns):
            raise wrong_parameter("columns", "One of them comes twice.", "Send each once.")
        if columns is not None and parameters.row_encoding == "value" and len(columns) != 1:
            reason = "value hashes one column."
            raise wrong_parameter("columns", reason, "Send one, or the row_encoding canonical.")
        kept = parameters.kept_hash(self._keys)
        params = tuple(as_text(value) for value in parameters.params)
        query = QueryInput(parameters.sql, params, VET_S, max_rows=1, engine="direct")
        names = [column.name for column in self._queries.check(query)]
        _check_columns(names, columns, parameters.row_encoding)
        return {
            "sql": self._parser.parse(parameters.sql).sql,
            "params": list(params),
            "columns": columns,
            "row_encoding": parameters.row_encoding,
            "hash": kept,
        }

    def shown(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters, without what tells of a key."""
        return shown_hash(kept)


def _check_columns(names: list[str], chosen: list[str] | None, row_encoding: str) -> None:
    """Refuse columns that the query, whose `names` are given, does not have just once."""
    if chosen is None:
        if row_encoding == "value" and len(names) != 1:
            reason = f"value hashes one column, and the query has {len(names)}."
            raise wrong_parameter("columns", reason, "Name the one whose values are hashed.")
        return
    for name in chosen:
        if name not in names:
            reason = f"The query has no column '{name}'."
            raise wrong_parameter("columns", reason, choose(name, names))
        if names.count(name) > 1:
            reason = f"The query has {names.count(name)} columns '{name}'."
            raise wrong_parameter("columns", reason, "Give each a name of its own by AS.")

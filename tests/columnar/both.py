"""One SELECT on PostgreSQL, and on DuckDB over the same rows in Parquet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlglot import exp

from columnar.engine import ColumnarEngine
from columnar.errors import ColumnarError
from columnar.relation import RelationFiles
from query.columnar.context import Parameter
from query.columnar.facts import TableFact
from query.columnar.render import ColumnarQuery, render_columnar
from query.dialect import DIALECT
from query.statement import TableName
from query.types import TypeFact

Row = tuple[str | None, ...]


@dataclass(frozen=True)
class PostgresAnswer:
    """Rows as text, or the SQLSTATE of an error; the columns' types."""

    rows: Counter[Row]
    types: Sequence[TypeFact]
    sqlstate: str | None = None


def on_postgres(
    connection: psycopg.Connection, sql: str, params: Sequence[str | None] = ()
) -> PostgresAnswer:
    """Run a SELECT on PostgreSQL, in autocommit."""
    values = [None if value is None else value.encode() for value in params]
    result = connection.pgconn.exec_params(sql.encode(), values)
    if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
        error = psycopg.errors.error_from_result(result)
        return PostgresAnswer(Counter(), (), error.sqlstate or "?")
    types = [
        TypeFact(result.ftype(place), result.fmod(place), "", "") for place in range(result.nfields)
    ]
    rows: Counter[Row] = Counter()
    for row in range(result.ntuples):
        fields = [result.get_value(row, place) for place in range(result.nfields)]
        rows[tuple(None if one is None else one.decode() for one in fields)] += 1
    return PostgresAnswer(rows, types)


def parsed(sql: str) -> exp.Select:
    """Read a SELECT as planning does."""
    (tree,) = DIALECT.parse(sql)
    assert isinstance(tree, exp.Select)
    return tree


@dataclass(frozen=True)
class Columnar:
    """An engine, tables' facts and their files."""

    engine: ColumnarEngine
    tables: Mapping[TableName, TableFact]
    files: Mapping[TableName, Sequence[Path]]

    def run(self, query: ColumnarQuery) -> Counter[Row]:
        """Run a rendered query.  Raises ColumnarError."""
        relations = [
            RelationFiles(one.name, one.columns, self.files[one.table]) for one in query.relations
        ]
        answer = self.engine.run(
            query.sql, relations, timeout_s=30, max_rows=10**6, max_bytes=10**9
        )
        return Counter(zip(*answer.data, strict=True))

    def render(self, sql: str, params: Sequence[Parameter] = ()) -> ColumnarQuery:
        """Render a SELECT.  Raises NotColumnar."""
        return render_columnar(parsed(sql), self.tables, params)


def difference(
    connection: psycopg.Connection, columnar: Columnar, sql: str, query: ColumnarQuery
) -> str | None:
    """Return how the two answers differ; None also where DuckDB leaves the word to PostgreSQL."""
    theirs = on_postgres(connection, sql)
    try:
        ours = columnar.run(query)
    except ColumnarError:
        return None
    if theirs.sqlstate is not None:
        return f"{sql}: {dict(ours)} where PostgreSQL raises {theirs.sqlstate}"
    if ours != theirs.rows:
        return f"{sql}: {dict(ours - theirs.rows)} instead of {dict(theirs.rows - ours)}"
    return None

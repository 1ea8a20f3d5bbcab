"""Rows of a table as Arrow, for one query: where there are no segments, or not of all rows."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
from psycopg import sql

from db.pool import Connection
from db.tracking.cuts import between
from segments.columns import plan_columns, schema_of
from segments.errors import ColumnUnfit, TooManyRows
from segments.source import copied

READ_BYTES = 8 * 1024**2


@dataclass(frozen=True)
class Wanted:
    """Columns of a table, and which rows: all, or those of ranges of the column `key`.

    A range goes from its first bound up to, not including, its second; None: no bound.
    """

    oid: int
    schema: str
    table: str
    columns: Sequence[str]
    key: str
    key_type: str
    ranges: Sequence[tuple[str | None, str | None]]


def fetch(connection: Connection, wanted: Wanted, max_rows: int) -> pa.Table:
    """Return the rows, at the snapshot of the connection's transaction.

    Raises ColumnUnfit for a column that has no exact counterpart, TooManyRows, RowTooLarge,
    psycopg.Error.
    """
    known = {column.name: column for column in plan_columns(connection, wanted.oid, {}).columns}
    for name in wanted.columns:
        if name not in known:
            raise ColumnUnfit(name, "it has no exact counterpart")
    # a table without columns has no rows in Arrow: any one will do, to count them
    names = list(wanted.columns) or list(known)[:1]
    if not names:
        raise ColumnUnfit("*", "none of its columns has an exact counterpart")
    columns = [known[name] for name in names]
    statement = sql.SQL(
        "COPY (SELECT {columns} FROM ONLY {table} WHERE {within}) TO STDOUT (FORMAT csv, NULL '')"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=sql.Identifier(wanted.schema, wanted.table),
        within=_within(wanted),
    )
    name = f"{wanted.schema}.{wanted.table}"
    batches: list[pa.RecordBatch] = []
    rows = 0
    with closing(copied(connection, statement, columns, READ_BYTES, name)) as source:
        for batch in source:
            rows += batch.num_rows
            if rows > max_rows:
                raise TooManyRows(f"More than {max_rows} rows of {name} would be fetched.")
            batches.append(batch)
    return pa.Table.from_batches(batches, schema_of(columns))


def _within(wanted: Wanted) -> sql.Composable:
    if not wanted.key:
        return sql.SQL("true")
    ranges = [between(wanted.key, wanted.key_type, *bounds) for bounds in wanted.ranges]
    return sql.SQL(" OR ").join([sql.SQL("({})").format(one) for one in ranges])

"""Tables of PostgreSQL as files such as segments are, and the facts that rendering wants."""

import atexit
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from columnar.own_file import SUFFIX, OwnFiles
from query.columnar.facts import ColumnFact, TableFact
from query.statement import TableName
from query.types import FLOATS
from segments.columns import Column, plan_columns, to_arrow

# the collation of a column, where "default" stands for the database's
COLUMNS = """
SELECT a.attname, a.atttypid::int8::int8, a.atttypmod, coalesce(l.collname, ''),
       coalesce(CASE WHEN l.collname = 'default' THEN d.datlocprovider ELSE l.collprovider END, ''),
       coalesce(CASE WHEN l.collname = 'default' THEN coalesce(d.datlocale, d.datcollate)
                     ELSE coalesce(l.colllocale, l.collcollate) END, ''),
       coalesce(l.collisdeterministic, true)
  FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
  JOIN pg_database d ON d.datname = current_database()
 WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_OWN = OwnFiles()
atexit.register(_OWN.close)
_numbers = itertools.count()
BYTEWISE = frozenset({"C", "POSIX", "C.UTF-8", "ucs_basic"})


def table_fact(connection: psycopg.Connection, table: str) -> TableFact:
    """Read a table's columns from the catalog."""
    columns = {}
    for name, oid, typmod, collation, provider, locale, deterministic in connection.execute(
        COLUMNS, [table]
    ):
        bytewise = provider in ("b", "c") and locale in BYTEWISE
        kept = oid not in FLOATS or not _has_nan(connection, table, name)
        columns[name] = ColumnFact(oid, typmod, collation, bytewise, deterministic, kept)
    return TableFact(columns)


def _has_nan(connection: psycopg.Connection, table: str, column: str) -> bool:
    found = connection.execute(f"SELECT 1 FROM {table} WHERE \"{column}\" = 'NaN'".encode())
    return found.fetchone() is not None


def write_table(
    connection: psycopg.Connection,
    table: str,
    fact: TableFact,
    folder: Path,
    *,
    parts: int,
    group_rows: int,
) -> list[Path]:
    """Write a table's rows into `parts` files, those columns alone that segments hold.

    They are in DuckDB's own format and in Parquet by turns; there, row groups of few rows have
    DuckDB leave out some of them by their statistics.
    """
    unfit = {name: "" for name, one in fact.columns.items() if one.kind is None}
    columns = _planned(connection, table, unfit)
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    query = sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(table))
    result = connection.pgconn.exec_params(query.as_bytes(connection), [])
    assert result.status == psycopg.pq.ExecStatus.TUPLES_OK, result.error_message
    for old in folder.glob(f"{table}-*"):
        old.unlink()
    files = []
    for part in range(parts):
        rows = range(part, result.ntuples, parts)
        texts = [
            pa.array([_text(result.get_value(row, place)) for row in rows], pa.string())
            for place in range(len(columns))
        ]
        batch = pa.RecordBatch.from_arrays(texts, names=[column.name for column in columns])
        content = pa.Table.from_batches([to_arrow(batch, columns)])
        name = f"{table}-{next(_numbers)}"  # each file has its own, as those of segments
        if part % 2:
            files.append(folder / f"{name}.parquet")
            pq.write_table(content, files[-1], row_group_size=group_rows, compression="zstd")
        else:
            files.append(folder / f"{name}.{SUFFIX}")
            with _OWN.writer(files[-1], content.schema) as file:
                file.write(content)
    return files


def read_table(path: Path) -> pa.Table:
    """Return what such a file holds."""
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute("SELECT * FROM data").to_arrow_table()


def _planned(
    connection: psycopg.Connection, table: str, unfit: Mapping[str, str]
) -> Sequence[Column]:
    """Return what the product's segments hold of a table."""
    (oid,) = connection.execute("SELECT %s::regclass::oid::int", [table]).fetchone() or (0,)
    usual = connection.cursor_factory
    connection.cursor_factory = psycopg.RawCursor
    try:
        return plan_columns(connection, oid, unfit).columns  # type: ignore[arg-type]
    finally:
        connection.cursor_factory = usual


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def facts_of(connection: psycopg.Connection, *tables: str) -> Mapping[TableName, TableFact]:
    """Read several tables."""
    return {TableName(None, table): table_fact(connection, table) for table in tables}

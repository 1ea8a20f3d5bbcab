"""The table that is loaded: one transaction that makes, fills and analyses it, or nothing."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import psycopg
from psycopg import sql

from cli.errors import LoadRefused
from cli.loading.refusal import refusal
from cli.loading.source import Source

# a type's name, perhaps with its schema, modifiers, time zone, and as an array
_TYPE = re.compile(
    r"^[A-Za-z_][\w .]*(\(\s*\d+\s*(,\s*-?\d+\s*)?\))?( with(out)? time zone)?(\[\])?$"
)
LOCK_LIMIT = "30s"


class Mode(Enum):
    """What to do about a table of that name that is there already."""

    CREATE = auto()
    REPLACE = auto()
    APPEND = auto()


@dataclass(frozen=True)
class Target:
    """Where rows go."""

    schema: str
    table: str
    mode: Mode

    @property
    def identifier(self) -> sql.Identifier:
        """The table's name for SQL."""
        return sql.Identifier(self.schema, self.table)


def check_target(connection: psycopg.Connection[Any], target: Target) -> None:
    """Make sure that the table can be made as asked.  Raises LoadRefused with the remedy."""
    row = connection.execute(
        "SELECT n.oid IS NOT NULL, c.relkind::text FROM (VALUES (1)) AS one "
        "LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = %s "
        "LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = %s",
        [target.schema, target.table],
    ).fetchone()
    schema_there, kind = row or (False, None)
    if not schema_there:
        raise LoadRefused(
            f'There is no schema "{target.schema}". Create it, or give another with --schema.'
        )
    name = f'"{target.schema}"."{target.table}"'
    if kind is None and target.mode is Mode.APPEND:
        raise LoadRefused(f"There is no table {name} to append to. Leave --append out.")
    if kind is not None and target.mode is Mode.CREATE:
        raise LoadRefused(
            f"{name} exists already. Give --replace to load it anew, --append to add rows, or "
            "another --table."
        )
    if kind not in {None, "r", "p"}:
        raise LoadRefused(f"{name} is no table. Give another --table.")


def check_types(connection: psycopg.Connection[Any], choices: dict[str, str]) -> None:
    """Make sure that chosen types exist.  Raises LoadRefused."""
    for column, type_ in choices.items():
        known = None
        if _TYPE.match(type_):
            query = "SELECT pg_catalog.to_regtype(%s)"
            known = (connection.execute(query, [type_]).fetchone() or (None,))[0]
        if known is None:
            raise LoadRefused(
                f'--type {column}={type_}: PostgreSQL has no type "{type_}". Usual ones: integer, '
                "bigint, numeric, double precision, boolean, text, date, timestamp, timestamptz."
            )


def load_table(
    connection: psycopg.Connection[Any],
    source: Source,
    target: Target,
    progress: Callable[[int], None],
) -> int:
    """Load the file and return the number of rows; after an error nothing has changed.

    `connection` is in autocommit mode.  Raises LoadRefused with line, column, value and remedy.
    """
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in source.columns)
    copy = sql.SQL("COPY {table} ({columns}) FROM STDIN ({options})").format(
        table=target.identifier, columns=columns, options=sql.SQL(_trusted(source.copy_options))
    )
    try:
        with connection.transaction():
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute("SET LOCAL TimeZone = 'UTC'")
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_LIMIT}'")
            check_target(connection, target)
            _make_table(connection, source, target)
            with connection.cursor() as cursor:
                with cursor.copy(copy) as stream:
                    for chunk, position in source.chunks():
                        stream.write(chunk)
                        progress(position)
                rows = cursor.rowcount
            connection.execute(sql.SQL("ANALYZE {}").format(target.identifier))
    except psycopg.Error as error:
        raise refusal(error, source) from error
    return rows


def _make_table(connection: psycopg.Connection[Any], source: Source, target: Target) -> None:
    if target.mode is Mode.APPEND:
        _check_columns(connection, source, target)
        return
    if target.mode is Mode.REPLACE:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(target.identifier))
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(_trusted(column.type)))
        for column in source.columns
    )
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(target.identifier, columns))


def _check_columns(connection: psycopg.Connection[Any], source: Source, target: Target) -> None:
    rows = connection.execute(
        "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = %s::regclass "
        "AND attnum > 0 AND NOT attisdropped",
        [target.identifier.as_string(connection)],
    ).fetchall()
    there = {name for (name,) in rows}
    missing = [column.name for column in source.columns if column.name not in there]
    if missing:
        raise LoadRefused(
            f'{source.path} has a column "{missing[0]}", and {target.table} has none of that name '
            f"(it has: {', '.join(sorted(there))}). Correct the header, or use --replace."
        )


def _trusted(text: str) -> Any:
    """SQL of ours, or checked against `_TYPE`; psycopg's type asks for a literal."""
    return text

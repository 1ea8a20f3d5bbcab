"""What PostgreSQL says of a statement's columns and parameters, without running it."""

from collections.abc import Sequence
from typing import NamedTuple

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from db.pool import Connection

DECLARE = "DECLARE described NO SCROLL CURSOR FOR "  # stands before the text in errors' positions


class ResultColumn(NamedTuple):
    """A result column: type oid, type modifier (-1: none) and name."""

    oid: int
    typmod: int
    name: str


class Described(NamedTuple):
    """A statement's result columns, and the type oids of its parameters."""

    columns: tuple[ResultColumn, ...]
    parameters: tuple[int, ...]


def describe(connection: Connection, sql: str) -> Described:
    """Let PostgreSQL parse one statement.  Raises psycopg.Error for what it refuses."""
    pgconn = connection.pgconn
    parsed = connection.counted(lambda: pgconn.prepare(b"", sql.encode()))
    if parsed.status != ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(parsed)
    result = connection.counted(lambda: pgconn.describe_prepared(b""))
    if result.status != ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)
    parameters = tuple(result.param_type(place) for place in range(result.nparams))
    return Described(columns_of(result), parameters)


def describe_result(
    connection: Connection, sql: str, parameters: Sequence[str | None]
) -> tuple[ResultColumn, ...]:
    """Return the columns as a run of the statement would have them.

    Planning can tell more of a type than parsing: of `coalesce('A'::char(5), 'Z')`, that it is
    char(5).  The statement, one SELECT, is planned and not run, in the transaction that is open.
    Raises psycopg.Error for what PostgreSQL refuses.
    """
    pgconn = connection.pgconn
    values = [None if value is None else value.encode() for value in parameters]
    declared = pgconn.exec_params((DECLARE + sql).encode(), values)
    if declared.status != ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(declared)
    result = pgconn.describe_portal(b"described")
    pgconn.exec_(b"CLOSE described")
    return columns_of(result)


def columns_of(result: PGresult | None) -> tuple[ResultColumn, ...]:
    """Return the columns of a result; none before there is one."""
    if result is None:
        return ()
    return tuple(
        ResultColumn(result.ftype(i), result.fmod(i), (result.fname(i) or b"").decode())
        for i in range(result.nfields)
    )

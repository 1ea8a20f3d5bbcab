"""What PostgreSQL says of a statement's columns and parameters, without running it."""

from collections.abc import Sequence

import psycopg
from psycopg.generators import execute
from psycopg.pq import ExecStatus

from db.pool import Connection
from db.questions import Described, Description, ResultColumn, ask, columns_of

DECLARE = "DECLARE described NO SCROLL CURSOR FOR "  # stands before the text in errors' positions


def describe(connection: Connection, sql: str) -> Described:
    """Let PostgreSQL parse one statement.  Raises psycopg.Error for what it refuses."""
    (described,) = ask(connection, Description(sql)).descriptions
    return described


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
    declared = connection.extended((DECLARE + sql).encode(), values)
    if declared.status != ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(declared)
    pgconn.send_describe_portal(b"described")
    (result,) = connection.wait(execute(pgconn))
    connection.simple(b"CLOSE described")
    return columns_of(result)

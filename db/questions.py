"""Several questions to PostgreSQL in one round trip, by libpq's pipeline mode."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from db.pool import Connection, Row

UNFINISHED = (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN)
GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class ResultColumn(NamedTuple):
    """A result column: type oid, type modifier (-1: none) and name."""

    oid: int
    typmod: int
    name: str


class Described(NamedTuple):
    """A statement's result columns, and the type oids of its parameters."""

    columns: tuple[ResultColumn, ...]
    parameters: tuple[int, ...]


@dataclass(frozen=True)
class Rows:
    """Asks for the rows of a statement, few enough to be held in memory.

    `is_kept`: the session keeps it prepared.  For texts of ours that come with every query, where
    planning takes longer than running.
    """

    sql: str
    parameters: Sequence[str | None] = ()
    is_kept: bool = False


@dataclass(frozen=True)
class Description:
    """Asks what columns a statement would have, and of what types its parameters are."""

    sql: str


@dataclass(frozen=True)
class Replies:
    """Rows and descriptions, each in the order in which they were asked for."""

    rows: tuple[list[Row], ...]
    descriptions: tuple[Described, ...]


def ask(connection: Connection, *questions: Rows | Description) -> Replies:
    """Ask all at once.  Raises psycopg.Error for the first that PostgreSQL refuses.

    The others are not answered then: within a transaction that has failed they could not be.
    """
    pgconn = connection.pgconn
    pgconn.enter_pipeline_mode()
    new: set[str] = set()
    try:
        firsts = [_send(connection, question, new) for question in questions]
        pgconn.pipeline_sync()
        connection.wait(send(pgconn))
        results = [
            _results(connection, question, first)
            for question, first in zip(questions, firsts, strict=True)
        ]
        connection.wait(fetch_many(pgconn))  # that of the end
    finally:
        # where a reply is still to come, whoever takes the connection back closes it
        if pgconn.transaction_status not in UNFINISHED:
            pgconn.exit_pipeline_mode()
    rows, descriptions = [], []
    for question, (*parts, result) in zip(questions, results, strict=True):
        if result.status not in GOOD:
            raise psycopg.errors.error_from_result(result)
        if isinstance(question, Rows):
            rows.append([row for part in (*parts, result) for row in _rows_of(part)])
        else:
            parameters = tuple(result.param_type(place) for place in range(result.nparams))
            descriptions.append(Described(columns_of(result), parameters))
    return Replies(tuple(rows), tuple(descriptions))


def columns_of(result: PGresult | None) -> tuple[ResultColumn, ...]:
    """Return the columns of a result; none before there is one."""
    if result is None:
        return ()
    return tuple(
        ResultColumn(result.ftype(i), result.fmod(i), (result.fname(i) or b"").decode())
        for i in range(result.nfields)
    )


def _send(connection: Connection, question: Rows | Description, new: set[str]) -> bool:
    """Send it; tell whether it is prepared first.  `new` are statements prepared by this call."""
    pgconn: PGconn = connection.pgconn
    text = question.sql.encode()
    if isinstance(question, Description):
        pgconn.send_prepare(b"", text)
        pgconn.send_describe_prepared(b"")
        return True
    values = [None if value is None else value.encode() for value in question.parameters]
    if not question.is_kept:
        pgconn.send_query_params(text, values)
        return False
    name = b"millrace_" + hashlib.sha256(text).hexdigest()[:16].encode()
    is_new = question.sql not in connection.kept and question.sql not in new
    if is_new:
        pgconn.send_prepare(name, text)
        new.add(question.sql)
    pgconn.send_query_prepared(name, values)
    return is_new


def _results(
    connection: Connection, question: Rows | Description, is_prepared_first: bool
) -> list[PGresult]:
    """Return the results for a question, of which the last one tells how it ended.

    There may be several with rows: libpq's mode for rows that come in chunks outlives the statement
    that was streamed before, up to the first one of a pipeline.
    """
    results: list[PGresult] = connection.wait(fetch_many(connection.pgconn))
    if not is_prepared_first:
        return results
    if isinstance(question, Rows) and results[-1].status in GOOD:
        connection.kept.add(question.sql)  # the session's, however the transaction ends
    second: list[PGresult] = connection.wait(fetch_many(connection.pgconn))
    return second if results[-1].status in GOOD else results


def _rows_of(result: PGresult) -> list[Row]:
    return [
        tuple(
            None if (value := result.get_value(row, column)) is None else bytes(value).decode()
            for column in range(result.nfields)
        )
        for row in range(result.ntuples)
    ]

"""Several questions to PostgreSQL in one round trip, by libpq's pipeline mode."""

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
    """Asks for the rows of a statement, few enough to be held in memory."""

    sql: str
    parameters: Sequence[str | None] = ()


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
    try:
        for question in questions:
            _send(pgconn, question)
        pgconn.pipeline_sync()
        connection.wait(send(pgconn))
        results = [_results(connection, question) for question in questions]
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


def _send(pgconn: PGconn, question: Rows | Description) -> None:
    if isinstance(question, Rows):
        values = [None if value is None else value.encode() for value in question.parameters]
        pgconn.send_query_params(question.sql.encode(), values)
    else:
        pgconn.send_prepare(b"", question.sql.encode())
        pgconn.send_describe_prepared(b"")


def _results(connection: Connection, question: Rows | Description) -> list[PGresult]:
    """Return the results for a question, of which the last one tells how it ended.

    There may be several with rows: libpq's mode for rows that come in chunks outlives the statement
    that was streamed before, up to the first one of a pipeline.
    """
    results: list[PGresult] = connection.wait(fetch_many(connection.pgconn))
    if isinstance(question, Rows):
        return results
    described: list[PGresult] = connection.wait(fetch_many(connection.pgconn))
    return described if results[-1].status in GOOD else results


def _rows_of(result: PGresult) -> list[Row]:
    return [
        tuple(
            None if (value := result.get_value(row, column)) is None else bytes(value).decode()
            for column in range(result.nfields)
        )
        for row in range(result.ntuples)
    ]

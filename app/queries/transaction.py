"""A read-only transaction at one snapshot, with a deadline."""

import re
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus

from app.queries.control import Control
from app.queries.copy_out import CopyOut
from db.describe import describe, describe_result
from db.pool import Connection, Row
from db.questions import Description, ResultColumn, ask, columns_of
from db.questions import Rows as RowsOf
from db.sqlstate import is_infrastructure
from db.tracking.clean_check import (
    BEGIN,
    TableState,
    check_expression,
    lock_statement,
    read_states,
)
from db.tracking.tracked_table import TrackedTable
from query.catalog import Catalog
from query.fragment import ColumnType
from telemetry.spans import commented

CHUNK_ROWS = 500
CANCEL_TIMEOUT_S = 1.0
SILENCE_S = 2.0  # to copy a value of half a gigabyte takes one, and cannot be interrupted
CANCELLED_S = 2.0  # whoever cancelled does not wait for a server that says nothing
FORGOTTEN_MS = 5000
LATE_MS = 20  # a statement may outlast its deadline by so much
TRANSACTION_TIMEOUT = 170_000  # the first version of PostgreSQL that has this setting
EXPORTED = re.compile(r"[0-9A-Fa-f-]+")  # what pg_export_snapshot() returns


@dataclass(frozen=True)
class Described:
    """A statement as PostgreSQL understands it: result columns, and types of its parameters."""

    columns: tuple[ColumnType, ...]
    parameters: tuple[int, ...]


class Rows:
    """Rows of a running statement; `columns` is known once the first row, or none, has come."""

    def __init__(self, connection: Connection, sql: str, parameters: Sequence[str | None]) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._sql = sql
        self._sent = commented(sql).encode()
        self._parameters = parameters
        self.columns: tuple[ColumnType, ...] = ()

    def __iter__(self) -> Iterator[Row]:
        """Run the statement, by the extended protocol, and yield its rows as they come.

        Leaving the iteration early cancels the statement, and with it the transaction.
        """
        stream = self._cursor.stream(self._sent, self._parameters, size=CHUNK_ROWS)
        try:
            for number, row in enumerate(stream):
                if number == 0:
                    self.columns = self._described()
                yield row
            if not self.columns:  # without rows, no result has come that tells the columns
                self.columns = _column_types(
                    describe_result(self._connection, self._sql, self._parameters)
                )
        finally:
            stream.close()  # type: ignore[attr-defined] # a generator

    def _described(self) -> tuple[ColumnType, ...]:
        return _column_types(columns_of(self._cursor.pgresult))


class ReadTransaction:
    """`REPEATABLE READ READ ONLY` on a borrowed connection, until that is given back.

    `control` has the deadline, which bounds every statement, and tells of cancellation.  `states`
    are those of the accelerated tables that it was begun with, by their oids.  `catalogs`
    are what app.queries.catalog_reader read at this snapshot.
    """

    def __init__(self, connection: Connection, control: Control) -> None:
        self._connection = connection
        self.control = control
        self.snapshot = ""
        self.states: Mapping[int, TableState] = {}
        self.catalogs: dict[Hashable, tuple[Catalog, Described]] = {}
        self._bound_ms = 0
        self._waited_before_s = connection.waited_s
        # where PostgreSQL does not even end what its own limits should have ended
        connection.patience_s = None
        connection.answer_by = time.monotonic() + control.remaining_s() + SILENCE_S

    @property
    def waited_ms(self) -> float:
        """How long this transaction has waited for PostgreSQL so far; network included."""
        return (self._connection.waited_s - self._waited_before_s) * 1000

    def begin(self) -> None:
        """Start, and take the snapshot: one round trip.  Raises DeadlinePassed."""
        self.catalogs = {}
        # these texts are ours, so the simple protocol may carry several of them at once
        result = self._simple(f"{BEGIN}; {self._limits()}; SELECT pg_current_snapshot()")
        self.snapshot = (result.get_value(0, 0) or b"").decode()
        self.states = {}

    def begin_checked(self, tables: Sequence[TrackedTable]) -> None:
        """Start, lock accelerated tables, take the snapshot, and see which segments are clean.

        Where that cannot be (a table was dropped just now, say) it starts without.
        """
        self.catalogs = {}
        names = [(table.schema, table.name) for table in tables]
        check = check_expression([table.oid for table in tables])
        try:
            # the snapshot comes after the locks: db/tracking/clean_check.py tells why
            result = self._simple(
                f"{BEGIN}; {self._limits()}; {lock_statement(names)}; "
                f"SELECT pg_current_snapshot(), {check}"
            )
        except psycopg.Error as error:
            if error.sqlstate is None or is_infrastructure(error.sqlstate):
                raise
            self._simple("ROLLBACK")
            self.begin()
            return
        self.snapshot = (result.get_value(0, 0) or b"").decode()
        self.states = read_states(result.get_value(0, 1))

    def restart(self, tables: Sequence[TrackedTable]) -> None:
        """Begin anew, with these tables locked."""
        self._simple("ROLLBACK")
        self.begin_checked(tables)

    def begin_at(self, exported: str) -> None:
        """Start at a snapshot that another transaction exported and still holds."""
        if not EXPORTED.fullmatch(exported):
            raise ValueError(f"not a snapshot: {exported!r}")
        self.catalogs = {}
        self._simple(f"{BEGIN}; SET TRANSACTION SNAPSHOT '{exported}'; {self._limits()}")

    def _limits(self) -> str:
        """Bound each statement by the deadline, and the transaction should we forget about it.

        PostgreSQL ends the session for the latter, hence the time that we have to be first.
        """
        self._bound_ms = left_ms = self.remaining_ms()
        limits = {"statement_timeout": left_ms}
        limits["idle_in_transaction_session_timeout"] = left_ms + FORGOTTEN_MS
        if self._connection.info.server_version >= TRANSACTION_TIMEOUT:
            limits["transaction_timeout"] = left_ms + FORGOTTEN_MS
        return "; ".join(f"SET LOCAL {name} = {value}" for name, value in limits.items())

    def recover(self) -> None:
        """Leave a failed transaction for a new one, at a newer snapshot; a healthy one goes on."""
        if self._connection.info.transaction_status != TransactionStatus.INTRANS:
            self._simple("ROLLBACK")
            self.begin()

    def export(self) -> str:
        """Export the snapshot, for as long as this transaction lasts."""
        return str(self.rows("SELECT pg_export_snapshot()", [])[0][0])

    def cancel(self) -> None:
        """Stop the statement that runs, from another thread; without one nothing happens."""
        end = time.monotonic() + CANCELLED_S
        by = self._connection.answer_by
        if by is None or end < by:
            self._connection.answer_by = end
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=CANCEL_TIMEOUT_S)

    def remaining_ms(self) -> int:
        """Return the time left, at least 1 ms.  Raises DeadlinePassed and Cancelled."""
        return max(1, int(self.control.remaining_s() * 1000))

    def rebind_deadline(self) -> None:
        """Let the next statement run only for what is left of the time.

        Where it would be ended hardly any later that is not worth a round trip.
        """
        left_ms = self.remaining_ms()
        if self._bound_ms - left_ms > LATE_MS:
            self._simple(f"SET LOCAL statement_timeout = {left_ms}")
            self._bound_ms = left_ms

    def rows(self, sql: str, parameters: Sequence[str | None]) -> list[Row]:
        """Run one statement by the extended protocol and return all its rows."""
        return ask(self._connection, RowsOf(sql, parameters)).rows[0]

    def ask(self, *questions: RowsOf, describing: str) -> tuple[list[list[Row]], Described]:
        """Return the rows of statements, and the description of one more, in one round trip."""
        replies = ask(self._connection, *questions, Description(describing))
        columns, parameters = replies.descriptions[0]
        return list(replies.rows), Described(_column_types(columns), parameters)

    def stream(self, sql: str, parameters: Sequence[str | None]) -> Rows:
        """Return the rows of one statement, to be iterated over."""
        return Rows(self._connection, sql, parameters)

    def copy(self, sql: str, *, max_rows: int, head_rows: int) -> CopyOut:
        """Return the output of a COPY, to be iterated over."""
        return CopyOut(self._connection, commented(sql), max_rows=max_rows, head_rows=head_rows)

    def describe_result(self, sql: str, parameters: Sequence[str | None]) -> tuple[ColumnType, ...]:
        """Return the columns that a run of the query would have; it is planned, and not run."""
        return _column_types(describe_result(self._connection, sql, parameters))

    def describe(self, sql: str) -> Described:
        """Let PostgreSQL parse one statement, and tell its columns and parameters."""
        columns, parameters = describe(self._connection, sql)
        return Described(_column_types(columns), parameters)

    def _simple(self, sql: str) -> psycopg.pq.abc.PGresult:
        result = self._connection.simple(sql.encode())
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise psycopg.errors.error_from_result(result)
        return result


def _column_types(columns: Sequence[ResultColumn]) -> tuple[ColumnType, ...]:
    return tuple(ColumnType(*column) for column in columns)

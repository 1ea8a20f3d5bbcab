"""Runs one fragment on PostgreSQL and returns its partial."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import structlog

from db.database import Database
from query.fragment import ColumnType, Fragment, Partial
from tasks.errors import TaskFailed
from tasks.lease import Lease
from worker.failures import OutOfTime, PartialTooLarge, SnapshotGone, fragment_error

FIRST_ROWS = 1_000  # most partials have fewer: those cost one round trip
NEXT_ROWS = 10_000
CANCEL_TIMEOUT_S = 1.0

_SNAPSHOT = re.compile(r"[0-9A-Fa-f-]+")
_log = structlog.get_logger(__name__)


class FragmentRunner:
    """The handler of the query lane's tasks.

    The result comes through a cursor, in bounded batches: a fragment whose result is above its
    limits is found out before the worker's memory is full.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, lease: Lease) -> bytes:
        """Return the encoded partial.  Raises TaskFailed with an encoded FragmentError."""
        try:
            fragment = Fragment.decode(lease.task.payload)
            return self._partial(fragment, lease).encode()
        except Exception as error:  # each becomes the answer
            reason = fragment_error(error)
            if reason.kind == "internal":
                _log.exception("fragment failed", task=lease.task.id)
            raise TaskFailed(reason.encode()) from error

    def _partial(self, fragment: Fragment, lease: Lease) -> Partial:
        with self._database.connection(_remaining_s(lease)) as connection:

            def cancel() -> None:
                with contextlib.suppress(psycopg.Error):
                    connection.cancel_safe(timeout=CANCEL_TIMEOUT_S)

            with lease.cancelling(cancel):
                batches = _batches(connection, fragment, lease)
                cursor = next(batches)
                rows = cursor.fetchall()
                columns = _columns(cursor)
                size = _size(rows)
                _check(fragment, len(rows), size)
                for cursor in batches:
                    more = cursor.fetchall()
                    size += _size(more)
                    rows += more
                    _check(fragment, len(rows), size)
        data = [list(column) for column in zip(*rows, strict=True)] if rows else []
        return Partial(columns, data or [[] for _ in columns], len(rows))


def _batches(
    connection: psycopg.Connection[tuple[str | None, ...]], fragment: Fragment, lease: Lease
) -> Iterator[psycopg.Cursor[tuple[str | None, ...]]]:
    """Yield a cursor for each batch of rows; at least one, the first in one round trip."""
    if not _SNAPSHOT.fullmatch(fragment.snapshot):
        raise SnapshotGone(f"not a snapshot: {fragment.snapshot!r}")
    timeout_ms = max(1, int(_remaining_s(lease) * 1000))
    snapshot: psycopg.Cursor[Any] | None = None
    first_rows = min(FIRST_ROWS, fragment.max_rows + 1)
    try:
        with connection.pipeline():
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            snapshot = connection.execute(f"SET TRANSACTION SNAPSHOT '{fragment.snapshot}'")
            # bounds waiting for locks, too
            connection.execute(f"SET LOCAL statement_timeout = {timeout_ms}")
            # all rows are wanted, so the cheapest plan for all, not for the first tenth
            connection.execute("SET LOCAL cursor_tuple_fraction = 1.0")
            connection.execute(
                f"DECLARE partial NO SCROLL CURSOR FOR {fragment.sql}", fragment.params
            )
            cursor = connection.execute(f"FETCH {first_rows} FROM partial")
    except psycopg.Error as error:
        if error.sqlstate is not None and snapshot is not None and snapshot.statusmessage is None:
            raise SnapshotGone(error.diag.message_primary or str(error)) from error
        raise
    wanted = first_rows
    while True:
        fetched = cursor.rowcount
        yield cursor
        if fetched < wanted:
            return
        _remaining_s(lease)
        wanted = NEXT_ROWS
        cursor = connection.execute(f"FETCH {wanted} FROM partial")


def _columns(cursor: psycopg.Cursor[Any]) -> tuple[ColumnType, ...]:
    result = cursor.pgresult
    if result is None:
        return ()
    return tuple(
        ColumnType(result.ftype(i), result.fmod(i), (result.fname(i) or b"").decode())
        for i in range(result.nfields)
    )


def _size(rows: list[tuple[str | None, ...]]) -> int:
    """Return the characters of all values: for most data the bytes, and quick to count."""
    return sum(sum(map(len, filter(None, row))) for row in rows)


def _check(fragment: Fragment, rows: int, size: int) -> None:
    if rows > fragment.max_rows:
        raise PartialTooLarge(f"more than {fragment.max_rows} rows in one fragment")
    if size > fragment.max_bytes:
        raise PartialTooLarge(f"more than {fragment.max_bytes} bytes in one fragment")


def _remaining_s(lease: Lease) -> float:
    remaining_s = lease.remaining_s()
    if remaining_s <= 0 or lease.cancel_reason is not None:
        raise OutOfTime("the fragment's time was used up before it ended")
    return remaining_s

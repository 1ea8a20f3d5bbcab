"""Runs one fragment, on PostgreSQL or over segments, and returns its partial."""

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import psycopg
import structlog
from psycopg.pq import ExecStatus

from columnar.errors import EngineRefuses
from db.database import Database
from db.describe import describe
from db.pool import Connection, Row
from db.questions import ResultColumn, columns_of
from db.sqlstate import is_infrastructure
from query.columnar.task import ColumnarFragment, is_columnar
from query.fragment import ColumnType, Fragment, Partial
from tasks.errors import MessageMalformed, TaskFailed
from tasks.lease import Lease
from telemetry.spans import commented, span
from worker.columnar_runner import ColumnarRunner
from worker.failures import OutOfTime, PartialTooLarge, SnapshotGone, fragment_error

BATCH_ROWS = 1_000
CANCEL_TIMEOUT_S = 1.0
SILENCE_S = 2.0  # to copy a value of half a gigabyte takes one, and cannot be interrupted

_SNAPSHOT = re.compile(r"[0-9A-Fa-f-]+")
_log = structlog.get_logger(__name__)


class FragmentRunner:
    """The handler of the query lane's tasks.

    The result comes in bounded batches: a fragment whose result is above its limits is found out
    before the worker's memory is full.
    """

    def __init__(self, database: Database, over_segments: ColumnarRunner | None = None) -> None:
        self._database = database
        self._over_segments = over_segments

    def run(self, lease: Lease) -> bytes:
        """Return the encoded partial.

        Raises TaskFailed with an encoded FragmentError, and MessageMalformed.
        """
        try:
            payload = lease.task.payload
            if is_columnar(payload):
                return self._over(_columnar_fragment(payload), lease).encode()
            return self._partial(_fragment(payload), lease).encode()
        except MessageMalformed:
            raise
        except Exception as error:  # each becomes the answer
            reason = fragment_error(error)
            if reason.kind == "internal":
                _log.exception("fragment failed", task=lease.task.id)
            raise TaskFailed(reason.encode()) from error

    def _over(self, fragment: ColumnarFragment, lease: Lease) -> Partial:
        over_segments = self._over_segments
        if over_segments is None:
            raise EngineRefuses("this worker has no folder of segments")
        fetched, postgresql_s = {}, 0.0
        if fragment.fetches:
            with self._at_snapshot(fragment.snapshot, lease) as (connection, before_s):
                fetched = over_segments.fetched(connection, fragment)
                postgresql_s = connection.waited_s - before_s
        with span("execute") as executing:
            partial = over_segments.partial(
                fragment, fetched, timeout_s=_remaining_s(lease), cancelling=lease.cancelling
            )
            executing.set({"millrace.rows": partial.row_count, "millrace.engine": "duckdb"})
        return replace(partial, postgresql_s=postgresql_s)

    def _partial(self, fragment: Fragment, lease: Lease) -> Partial:
        with self._at_snapshot(fragment.snapshot, lease) as (connection, before_s):
            with span("execute") as executing:
                partial = _run(connection, fragment)
                executing.set({"millrace.rows": partial.row_count})
            return replace(partial, postgresql_s=connection.waited_s - before_s)

    @contextlib.contextmanager
    def _at_snapshot(self, snapshot: str, lease: Lease) -> Iterator[tuple[Connection, float]]:
        """Lend a connection in a transaction at the snapshot; also tell how long it had waited."""
        with contextlib.ExitStack() as stack:
            with span("pool.wait"):
                checkout = self._database.connection(_remaining_s(lease))
                connection = stack.enter_context(checkout)
            before_s = connection.waited_s
            # where PostgreSQL does not even end what its own limit should have ended
            connection.patience_s = None
            connection.answer_by = time.monotonic() + _remaining_s(lease) + SILENCE_S

            def cancel() -> None:
                with contextlib.suppress(psycopg.Error):
                    connection.cancel_safe(timeout=CANCEL_TIMEOUT_S)

            with lease.cancelling(cancel):
                _begin(connection, snapshot, lease)
                yield connection, before_s


def _fragment(payload: bytes) -> Fragment:
    try:
        return Fragment.decode(payload)
    except ValueError as error:
        raise MessageMalformed(str(error)) from error


def _columnar_fragment(payload: bytes) -> ColumnarFragment:
    try:
        return ColumnarFragment.decode(payload)
    except ValueError as error:
        raise MessageMalformed(str(error)) from error


def _begin(connection: Connection, snapshot: str, lease: Lease) -> None:
    """Start a transaction at the snapshot, in one round trip: these texts are all ours."""
    if not _SNAPSHOT.fullmatch(snapshot):
        raise SnapshotGone(f"not a snapshot: {snapshot!r}")
    timeout_ms = max(1, int(_remaining_s(lease) * 1000))
    sql = (
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
        f"SET TRANSACTION SNAPSHOT '{snapshot}'; "
        # bounds waiting for locks, too
        f"SET LOCAL statement_timeout = {timeout_ms}; "
        # the fragments are what runs in parallel; more processes each would only queue up
        "SET LOCAL max_parallel_workers_per_gather = 0"
    )
    result = connection.simple(sql.encode())
    if result.status != ExecStatus.COMMAND_OK:
        error = psycopg.errors.error_from_result(result)
        if error.sqlstate is None or is_infrastructure(error.sqlstate):
            raise error
        raise SnapshotGone(error.diag.message_primary or str(error)) from error


def _run(connection: Connection, fragment: Fragment) -> Partial:
    cursor = connection.cursor()
    stream = cursor.stream(commented(fragment.sql).encode(), fragment.params, size=BATCH_ROWS)
    rows: list[Row] = []
    columns: tuple[ColumnType, ...] = ()
    size = 0
    for row in stream:
        if not columns:
            columns = _column_types(columns_of(cursor.pgresult))
        rows.append(row)
        if len(rows) % BATCH_ROWS == 0:
            size += _size(rows[-BATCH_ROWS:])
            _check(fragment, len(rows), size)
    _check(fragment, len(rows), size + _size(rows[len(rows) // BATCH_ROWS * BATCH_ROWS :]))
    if not rows:  # then no result has come that would tell the columns
        columns = _column_types(describe(connection, fragment.sql).columns)
    data = [list(column) for column in zip(*rows, strict=True)] if rows else []
    return Partial(columns, data or [[] for _ in columns], len(rows))


def _column_types(columns: Sequence[ResultColumn]) -> tuple[ColumnType, ...]:
    return tuple(ColumnType(*column) for column in columns)


def _size(rows: Sequence[Row]) -> int:
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

"""The kind of job that hashes the rows of a query: in one transaction, in constant memory."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

import psycopg

from db.database import Database
from db.describe import describe_result
from db.pool import Connection, Row
from db.questions import ResultColumn
from db.sqlstate import is_infrastructure
from hashing.digester import Digester
from hashing.rows import encode_row
from jobs.context import TaskContext
from jobs.errors import PermanentFailure
from jobs.kind import Done, Kind
from jobs.output import Output, PackedRows
from jobs.record import NewTask, TaskClaim
from jobs.retry import RetryPolicy
from jobs.settings import JobSettings
from worker.rows.batch import NULL_REFUSED, Batch, FailedRow
from worker.rows.pg_values import bytes_of, values_of
from worker.rows.results import Results
from worker.rows.spec import RowDigester, checked_names

BATCH_ROWS = 1000
CANCEL_TIMEOUT_S = 1.0
# of statements that others' locks or a standby's conflicts have ended, and that may work next time
_PASSING = ("40", "55", "57")


class HashQuery(Kind):
    """One task runs the query.  A further attempt begins anew: what it staged was never seen."""

    name: ClassVar[str] = "hash_query"
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_s=0.5, cap_s=60.0)

    def __init__(
        self,
        own: Database,
        reader: Database,
        settings: JobSettings,
        keys: Mapping[str, bytes],
        digester: Digester,
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._keys = keys
        self._digester = digester
        self._output = Output(own)

    def plan(self, parameters: Mapping[str, Any], context: TaskContext) -> Done:
        """Add the one task there is."""
        context.check()
        RowDigester(parameters, self._keys, self._digester)  # raises where that cannot be
        return Done(adds=[NewTask("query", is_last=True)])

    def run(self, task: TaskClaim, context: TaskContext) -> Done:
        """Run the query."""
        kept = task.job_parameters
        digester = RowDigester(kept, self._keys, self._digester)

        def stage(stream: str, number: int, rows: PackedRows) -> None:
            self._output.stage_packed(task, stream, number, rows)

        results = Results(digester.texts, "utf-8", stage)
        try:
            with self._reader.connection() as connection:
                self._hash(connection, kept, results, context)
        except psycopg.Error as error:
            context.check()
            state = error.sqlstate
            if state is None or is_infrastructure(state) or state.startswith(_PASSING):
                raise
            message = error.diag.message_primary or str(error)
            raise PermanentFailure(f"{state}: {message}", "QueryFailed") from error
        results.finish()
        summary = {
            "rows": results.rows,
            "hashed_rows": results.rows - results.failed_rows,
            "failed_rows": results.failed_rows,
        }
        return Done(rows=results.rows, result=json.dumps(summary), expected_rows=results.rows)

    def _hash(
        self,
        connection: Connection,
        kept: Mapping[str, Any],
        results: Results,
        context: TaskContext,
    ) -> None:
        def cancel() -> None:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=CANCEL_TIMEOUT_S)

        with context.cancelling(cancel):
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            columns = describe_result(connection, kept["sql"], kept["params"])
            chosen = _chosen(columns, kept)
            stream = connection.cursor().stream(
                kept["sql"].encode(), kept["params"], size=BATCH_ROWS
            )
            for rows in _batches(iter(stream)):
                if results.rows + len(rows) > self._settings.max_query_rows:
                    most = self._settings.max_query_rows
                    reason = f"The query has more than {most} rows (MILLRACE_JOBS_MAX_QUERY_ROWS)."
                    raise PermanentFailure(reason, "TooManyRows")
                cells = list(zip(*rows, strict=True))
                found = [(columns[at].oid, cells[at]) for at in chosen]
                results.add(_batch(found, results.rows + 1, kept["row_encoding"]))
                context.report(results.rows)
                context.check()


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH_ROWS)):
        yield batch


def _chosen(columns: Sequence[ResultColumn], kept: Mapping[str, Any]) -> list[int]:
    """Return which columns are hashed.  Raises PermanentFailure where they are not there."""
    names = [column.name for column in columns]
    if kept["columns"] is None:
        chosen = list(range(len(names)))
    else:
        chosen = [names.index(name) for name in checked_names(names, kept["columns"])]
    if kept["row_encoding"] == "value" and len(chosen) != 1:
        reason = f"There are {len(chosen)} columns; name the one whose values are hashed."
        raise PermanentFailure(reason, "ColumnUnknown")
    return chosen


def _batch(
    columns: Sequence[tuple[int, Sequence[str | None]]], first: int, row_encoding: str
) -> Batch:
    if row_encoding == "canonical":
        values = [values_of(oid, texts) for oid, texts in columns]
        encoded = [encode_row(row) for row in zip(*values, strict=True)]
        return Batch(range(first, first + len(encoded)), encoded)
    ((oid, texts),) = columns
    found = list(enumerate(bytes_of(oid, texts), first))
    return Batch(
        [number for number, value in found if value is not None],
        [value for _, value in found if value is not None],
        [FailedRow(number, 0, NULL_REFUSED, b"") for number, value in found if value is None],
    )

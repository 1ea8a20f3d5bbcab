"""Failed rows that somebody has corrected: hashed, and put where they belong in the result."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from db.database import Database
from db.pool import Connection
from jobs.context import TaskContext
from jobs.kind import Done
from jobs.output import Output, OutputRow, PackedRows, rewrite
from jobs.record import NewTask, TaskClaim
from worker.rows.batch import Batch, FailedRow
from worker.rows.results import ERRORS, PIECE_ROWS, RECORDS, RESULT, error_row, record_row
from worker.rows.scanner import Window

# of each task that is done, in the order of the file
_FAILED = """SELECT output.task, sum(output.rows)
  FROM job_output AS output JOIN job_tasks AS task
    ON task.job_id = output.job_id AND task.number = output.task AND task.token = output.token
 WHERE output.job_id = $1 AND output.stream = $2 AND task.state = 'done'
 GROUP BY output.task HAVING sum(output.rows) > 0 ORDER BY output.task"""
_PARAMETERS = "SELECT parameters FROM job_tasks WHERE job_id = $1 AND number = $2::int"
_LAST_MATCH = """SELECT result FROM job_tasks
 WHERE job_id = $1 AND name = 'match' AND state = 'done' ORDER BY number DESC LIMIT 1"""


class Corrections:
    """The n-th record that comes back stands for the n-th failed row."""

    def __init__(self, own: Database) -> None:
        self._own = own
        self._output = Output(own)

    def source_of(self, job_id: str, number: int) -> dict[str, Any]:
        """Return the parameter `source` of a task."""
        with self._own.connection() as connection:
            row = connection.execute(_PARAMETERS, [job_id, str(number)]).fetchone()
        source: dict[str, Any] = json.loads((row or ("{}",))[0] or "{}")["source"]
        return source

    def last_match(self, job_id: str) -> dict[str, Any] | None:
        """Return what became of the records that came last; None where none ever did."""
        with self._own.connection() as connection:
            row = connection.execute(_LAST_MATCH, [job_id]).fetchone()
        return None if row is None or row[0] is None else json.loads(row[0])

    def match(
        self,
        task: TaskClaim,
        records: Iterable[Window],
        given: Mapping[str, Any],
        context: TaskContext,
    ) -> Done:
        """Add a task for each that left failed rows, with its part of the corrected records.

        `records` are windows of one record each, `given` are parameters of all tasks.  Where there
        are not as many as failed rows, nobody knows which is which, and nothing is changed.
        """
        with self._own.connection() as connection:
            failed = [
                (int(number or 0), int(rows or 0))
                for number, rows in connection.execute(_FAILED, [task.job_id, ERRORS]).fetchall()
            ]
        ends = [0, *(window.after.offset for window in records)]
        wanted = sum(rows for _, rows in failed)
        fits = len(ends) - 1 == wanted
        outcome = {"records": len(ends) - 1, "failed_rows": wanted, "applied": fits}
        if not fits:
            text = f"{len(ends) - 1} records were sent for {wanted} failed rows: nothing is changed"
            context.log(text, "error")
            return Done(result=json.dumps(outcome))
        tasks: list[NewTask] = []
        done = 0
        for number, rows in failed:
            part = {"task": number, "start": ends[done], "end": ends[done + rows]}
            tasks.append(NewTask("correct", {**given, **part}))
            done += rows
        return Done(adds=tasks, result=json.dumps(outcome))

    def correct(
        self,
        task: TaskClaim,
        batches: Iterable[Batch],
        digests: Callable[[Sequence[bytes]], list[str]],
        encoding: str,
    ) -> Done:
        """Hash corrected records, `batches` of one row each, and rewrite what a task has left."""
        number = task.parameters["task"]
        was = self._rows(task.job_id, ERRORS, number)
        patches: list[OutputRow] = []
        still: list[FailedRow] = []
        for (row, line, _, _), batch in zip(was, batches, strict=True):
            patches += [(row, digest) for digest in digests(batch.values)]
            still += [failed._replace(row=row, line=line) for failed in batch.failed]
        result = sorted([*self._rows(task.job_id, RESULT, number), *patches], key=itemgetter(0))
        streams = {
            RESULT: _packed(result),
            ERRORS: _packed([error_row(failed, encoding) for failed in still]),
            RECORDS: _packed([record_row(failed) for failed in still]),
        }

        def effects(connection: Connection) -> None:
            for stream, pieces in streams.items():
                rewrite(connection, task.job_id, stream, number, pieces)

        return Done(effects)

    def _rows(self, job_id: str, stream: str, number: int) -> list[OutputRow]:
        """Return all rows that one task has left."""
        rows: list[OutputRow] = []
        for piece in self._output.pieces(job_id, stream, after=(number, -1)):
            if piece.task != number:
                break
            rows += piece.rows
        return rows


def _packed(rows: Sequence[OutputRow]) -> list[PackedRows]:
    return [
        PackedRows.of(rows[start : start + PIECE_ROWS]) for start in range(0, len(rows), PIECE_ROWS)
    ]

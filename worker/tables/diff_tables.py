"""The kind diff_tables: the rows in which two tables differ."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from db.database import Database
from db.pool import Connection
from jobs.context import TaskContext
from jobs.errors import PermanentFailure
from jobs.kind import Done, Kind
from jobs.output import Output, OutputRow, write
from jobs.record import NewTask, TaskClaim
from jobs.tables.comparison import Comparison
from worker.tables.checksum_table import in_parallel, null_keys
from worker.tables.differences import Differences, Tally
from worker.tables.key_range import KeyRange
from worker.tables.opening import Tables, is_one_database, permanent, statements
from worker.tables.pace import Pace, Throttle
from worker.tables.side import Side
from worker.tables.sizes import Sizes
from worker.tables.snapshot import load_of, one_snapshot, use_indexes
from worker.tables.spans import spans

MOST_TASKS = 1000
RANGES_OF_PASS = 256
TASK, SUMMARY = "compare", "summary"

_RESULTS = """SELECT result FROM job_tasks
 WHERE job_id = $1 AND name = $2 AND state = 'done' AND result IS NOT NULL"""


@dataclass(frozen=True)
class _Opened:
    """Both sides under their snapshots; of one database it is the same one."""

    left: Side
    right: Side
    connections: tuple[Connection, ...]

    @property
    def load(self) -> int:
        """How many other sessions are busy, where there are more."""
        return max(load_of(connection) for connection in self.connections)


class DiffTables(Kind):
    """Each task compares one span of the key, under a snapshot of its own."""

    name = "diff_tables"

    def __init__(self, own: Database, tables: Tables, sizes: Sizes | None = None) -> None:
        self._sizes = sizes or Sizes()
        self._own = own
        self._output = Output(own)
        self._tables = tables

    def plan(self, parameters: Mapping[str, Any], context: TaskContext) -> Done:
        """Cut the keys of both sides into spans."""
        comparison = self._tables.comparison(parameters)
        left, right = comparison.left.relation, comparison.right.relation
        count = min(MOST_TASKS, max(1, max(left.rows, right.rows) // self._sizes.task))
        with permanent(), self._opened(parameters, comparison, context) as opened:
            for side, read in ((opened.left, comparison.left), (opened.right, comparison.right)):
                if read.nullable_key and side.has_null_keys(read.nullable_key):
                    raise PermanentFailure(
                        null_keys(read.relation.name, read.nullable_key), "NullKeys"
                    )
            found = [KeyRange()]
            if comparison.is_indexed and count > 1:
                found = self._spans(opened, comparison, count)
        if not comparison.is_indexed:
            context.log(
                "no index on both sides finds ranges of the key in one order: both are read as a "
                "whole, once for each level of the descent", "warning",
            )  # fmt: skip
        known = {
            "key": [part.name for part in comparison.left.key],
            "columns": [column.name for column, _ in comparison.left.columns],
            "columns_only_left": list(comparison.only_left),
            "columns_only_right": list(comparison.only_right),
        }
        tasks = [NewTask(TASK, {"span": span.document()}) for span in found]
        rows = left.rows + right.rows or None
        return Done(adds=[*tasks, NewTask(SUMMARY, known, is_last=True)], expected_rows=rows)

    def run(self, task: TaskClaim, context: TaskContext) -> Done:
        """Compare a span, or sum up."""
        if task.name == SUMMARY:
            return self._summary(task)
        parameters = task.job_parameters
        comparison = self._tables.comparison(parameters)
        pieces = _Pieces(self._output, task)
        limit = int(parameters["limit"])
        with (
            permanent(),
            in_parallel(1) as pool,
            self._opened(parameters, comparison, context) as opened,
        ):
            differences = Differences(
                opened.left,
                opened.right,
                [part.name for part in comparison.left.key],
                show=pieces.add,
                # what other tasks show at this moment is not known: together they can show more
                most_shown=max(0, limit - self._output.count(task.job_id, "result")),
                pool=pool if len(opened.connections) > 1 else None,
                check=context.check,
                sizes=self._sizes,
            )
            span = KeyRange.read(task.parameters["span"])
            throttle = Throttle(self._tables.load_limit(parameters), context.pause)
            if comparison.is_indexed:
                more_rows = _larger(opened, comparison)
                ranges = self._walk(span, differences, more_rows, opened, throttle, context)
            else:
                sample = self._samples(opened, comparison)
                differences.compare(spans(sample, RANGES_OF_PASS))
                ranges = [_range_row(span, Tally(), differences.tally)]
        tally = differences.tally
        tally.ranges = len(ranges)
        pieces.flush()
        context.log(
            f"{tally.left} and {tally.right} rows, {tally.differences} differences, "
            f"{throttle.paused_s:.1f} s paused"
        )

        def effects(connection: Connection) -> None:
            write(connection, task, "ranges", 0, ranges)

        return Done(effects, rows=tally.left + tally.right, result=json.dumps(asdict(tally)))

    def _walk(
        self,
        span: KeyRange,
        differences: Differences,
        walker: Side,
        opened: _Opened,
        throttle: Throttle,
        context: TaskContext,
    ) -> list[OutputRow]:
        pace, ranges = Pace(self._sizes), []
        while True:
            began = time.monotonic()
            before = Tally(**asdict(differences.tally))
            cuts, behind = walker.walk(span, pace.rows, self._sizes.leaf)
            part = KeyRange(span.low, span.high if behind is None else behind)
            differences.compare(part.cut(cuts))
            seconds = time.monotonic() - began
            tally = differences.tally
            ranges.append(_range_row(part, before, tally))
            context.report(tally.left + tally.right)
            if behind is None:
                return ranges
            rows = max(tally.left - before.left, tally.right - before.right)
            pace.measured(rows, seconds)
            if tally.differences == before.differences:  # else it took longer by itself
                throttle.wait(lambda: opened.load, rows, seconds)
            span = KeyRange(behind, span.high)

    def _spans(self, opened: _Opened, comparison: Comparison, count: int) -> list[KeyRange]:
        return spans(self._samples(opened, comparison), count)

    def _samples(self, opened: _Opened, comparison: Comparison) -> list[tuple[str, ...]]:
        """Return keys of both sides by chance, in order."""
        keys = []
        for side, read in ((opened.left, comparison.left), (opened.right, comparison.right)):
            keys += side.sample(
                self._sizes.sample, read.relation.pages, is_plain=read.relation.is_plain
            )
        return opened.left.sorted(keys)

    def _summary(self, task: TaskClaim) -> Done:
        tally = Tally()
        with self._own.connection() as connection:
            rows = connection.execute(_RESULTS, [task.job_id, TASK]).fetchall()
        for (result,) in rows:
            tally.add(json.loads(result or "{}"))
        shown = self._output.count(task.job_id, "result")
        summary = {
            "equal": not tally.differences,
            "only_left": tally.only_left,
            "only_right": tally.only_right,
            "different": tally.different,
            "equal_rows": tally.equal,
            "rows": {"left": tally.left, "right": tally.right},
            "ranges": tally.ranges,
            "shown": shown,
            "algorithm": task.job_parameters["algorithm"],
            **task.parameters,
        }
        return Done(result=json.dumps(summary, ensure_ascii=False))

    @contextmanager
    def _opened(
        self, parameters: Mapping[str, Any], comparison: Comparison, context: TaskContext
    ) -> Iterator[_Opened]:
        left = self._tables.database(parameters["left"].get("database"))
        right = self._tables.database(parameters["right"].get("database"))
        with ExitStack() as stack:
            if is_one_database(parameters):
                count = min(2, self._tables.connections)
                connections = stack.enter_context(one_snapshot(left, count))
            else:
                connections = [
                    stack.enter_context(one_snapshot(database, 1))[0] for database in (left, right)
                ]
            if comparison.is_indexed:
                for connection in connections:
                    use_indexes(connection)
            one = Side(connections[0], statements(comparison.left, parameters))
            other = Side(connections[-1], statements(comparison.right, parameters))
            stack.enter_context(context.cancelling(lambda: _cancel(connections)))
            yield _Opened(one, other, tuple(connections))


class _Pieces:
    """Rows of the stream `result`, staged some at a time."""

    ROWS = 1000

    def __init__(self, output: Output, task: TaskClaim) -> None:
        self._output = output
        self._task = task
        self._rows: list[OutputRow] = []
        self._number = 0

    def add(self, rows: Sequence[OutputRow]) -> None:
        self._rows += rows
        if len(self._rows) >= self.ROWS:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._output.stage(self._task, "result", self._number, self._rows)
            self._number += 1
            self._rows = []


def _larger(opened: _Opened, comparison: Comparison) -> Side:
    more_left = comparison.left.relation.rows >= comparison.right.relation.rows
    return opened.left if more_left else opened.right


def _range_row(part: KeyRange, before: Tally, after: Tally) -> OutputRow:
    differences = after.differences - before.differences
    return [
        part.low, part.high, after.left - before.left, after.right - before.right,
        differences == 0, differences,
    ]  # fmt: skip


def _cancel(connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.cancel_safe(timeout=1.0)

"""The kind checksum_table: a checksum of a table or a query that no order of rows changes."""

import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from db.pool import Connection
from jobs.context import TaskContext
from jobs.errors import PermanentFailure
from jobs.kind import Done, Kind
from jobs.output import write
from jobs.record import NewTask, TaskClaim
from jobs.tables.comparison import Reading
from worker.tables.key_range import Checksum, KeyRange
from worker.tables.opening import Tables, algorithm_of, permanent, statements
from worker.tables.pace import Pace, Throttle
from worker.tables.side import Side
from worker.tables.sizes import Sizes
from worker.tables.snapshot import load_of, one_snapshot, use_indexes
from worker.tables.spans import spans
from worker.tables.tree import tree

MOST_SPANS = 1000
RANGES_OF_PASS = 256
PIECE_ROWS = 5000

_SNAPSHOT = "SELECT pg_current_snapshot(), to_json(now()) #>> '{}'"

Leaf = tuple[KeyRange, Checksum]


class ChecksumTable(Kind):
    """One task holds the snapshot for all connections: after a crash it begins anew, with another.

    A table whose key has an index is read in partitions of about half a second each; whatever
    else, in one pass.
    """

    name = "checksum_table"

    def __init__(self, tables: Tables, sizes: Sizes | None = None) -> None:
        self._sizes = sizes or Sizes()
        self._tables = tables

    def plan(self, parameters: Mapping[str, Any], context: TaskContext) -> Done:  # noqa: ARG002
        """Check what there is to read."""
        read = self._tables.reading(parameters)
        rows = read.relation.rows or None
        return Done(adds=[NewTask("checksum", is_last=True)], expected_rows=rows)

    def run(self, task: TaskClaim, context: TaskContext) -> Done:
        """Read it all under one snapshot."""
        parameters = task.job_parameters
        read = self._tables.reading(parameters)
        database = self._tables.database(parameters.get("database"))
        count = self._tables.connections if read.is_indexed else 1
        began = time.monotonic()
        with (
            permanent(),
            one_snapshot(database, count) as connections,
            context.cancelling(lambda: _cancel(connections)),
        ):
            taken = connections[0].execute(_SNAPSHOT).fetchone() or (None, None)
            run = _Run(read, parameters, connections, context, self._sizes)
            run.refuse_null_keys()
            throttle = Throttle(self._tables.load_limit(parameters), context.pause)
            leaves = run.partitions(throttle) if read.is_indexed else run.one_pass()
        context.check()
        nodes = tree(leaves)
        total = sum((checksum for _, checksum in leaves), Checksum())
        seconds = time.monotonic() - began
        context.log(
            f"{total.rows} rows in {len(leaves)} partitions, {seconds:.1f} s, of which "
            f"{throttle.paused_s:.1f} s were paused"
        )
        summary = {
            "rows": total.rows,
            "checksum": total.hex,
            "algorithm": algorithm_of(parameters),
            "snapshot": {"id": taken[0], "at": taken[1]},
            "partitions": len(leaves),
            "key": [part.name for part in read.key],
            "columns": [column.name for column, _ in read.columns],
        }

        def effects(connection: Connection) -> None:
            for number, start in enumerate(range(0, len(nodes), PIECE_ROWS)):
                piece = [node.row() for node in nodes[start : start + PIECE_ROWS]]
                write(connection, task, "ranges", number, piece)

        return Done(effects, rows=total.rows, result=json.dumps(summary, ensure_ascii=False))


class _Run:
    """One reading of one relation."""

    def __init__(
        self,
        read: Reading,
        parameters: Mapping[str, Any],
        connections: Sequence[Connection],
        context: TaskContext,
        sizes: Sizes,
    ) -> None:
        self._sizes = sizes
        self._read = read
        self._connections = connections
        self._context = context
        self._sides = [Side(one, statements(read, parameters)) for one in connections]
        self._lock = threading.Lock()
        self._rows = 0
        self._failed = threading.Event()

    def refuse_null_keys(self) -> None:
        """Raise PermanentFailure where a row has no key: no range would have it."""
        columns = self._read.nullable_key
        if columns and self._sides[0].has_null_keys(columns):
            raise PermanentFailure(null_keys(self._read.relation.name, columns), "NullKeys")

    def one_pass(self) -> list[Leaf]:
        """Read everything at once: without an index each range would be a pass of its own."""
        self._context.log("no index finds ranges of the key: read in one pass, without pauses")
        side = self._sides[0]
        ranges = spans(side.sample(self._sizes.sample, 0, is_plain=False), RANGES_OF_PASS)
        return list(zip(ranges, side.checksums(ranges), strict=True))

    def partitions(self, throttle: Throttle) -> list[Leaf]:
        """Read spans of the key side by side, each in partitions of adaptive size."""
        for connection in self._connections:
            use_indexes(connection)
        relation = self._read.relation
        sample = self._sides[0].sample(
            self._sizes.sample, relation.pages, is_plain=relation.is_plain
        )
        count = min(MOST_SPANS, max(len(self._sides), relation.rows // self._sizes.task))
        todo: queue.SimpleQueue[KeyRange] = queue.SimpleQueue()
        all_spans = spans(sample, count)
        for span in all_spans:
            todo.put(span)
        found: dict[KeyRange, list[Leaf]] = {}

        def work(connection: Connection, side: Side) -> None:
            pace = Pace(self._sizes)
            while True:
                try:
                    span = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    found[span] = list(self._span(connection, side, span, pace, throttle))
                except BaseException:
                    self._failed.set()
                    raise

        with in_parallel(len(self._sides)) as pool:
            done = [
                pool.submit(work, *pair)
                for pair in zip(self._connections, self._sides, strict=True)
            ]
            for one in done:
                one.result()
        return [leaf for span in all_spans for leaf in found[span]]

    def _span(
        self, connection: Connection, side: Side, span: KeyRange, pace: Pace, throttle: Throttle
    ) -> Iterator[Leaf]:
        while True:
            self._context.check()
            if self._failed.is_set():
                raise CancelledError
            began = time.monotonic()
            behind = side.behind(span, pace.rows)
            part = KeyRange(span.low, span.high if behind is None else behind)
            (checksum,) = side.checksums([part])
            seconds = time.monotonic() - began
            yield part, checksum
            with self._lock:
                self._rows += checksum.rows
                self._context.report(self._rows)
            if behind is None:
                return
            pace.measured(checksum.rows, seconds)
            throttle.wait(lambda: load_of(connection), checksum.rows, seconds)
            span = KeyRange(behind, span.high)


@contextmanager
def in_parallel(count: int) -> Iterator[ThreadPoolExecutor]:
    """Lend threads; what has not begun when the context is left by an error never does."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="bulk-table")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def null_keys(name: str, columns: Sequence[str]) -> str:
    """Return what is wrong with a relation that has rows without a key."""
    return (
        f"{name} has rows whose key ({', '.join(columns)}) is NULL: choose another key, or leave "
        "them out with `where`."
    )


def _cancel(connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.cancel_safe(timeout=1.0)

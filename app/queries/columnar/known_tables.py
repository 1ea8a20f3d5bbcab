"""The accelerated tables and their segments, as this process knows them.

What is kept here never decides what a query may read: that is the clean check, in the query's own
snapshot.  A segment's facts never change, and a table's not for as long as its tracking is intact.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
import structlog

from db.database import Database
from db.errors import DatabaseError
from db.tracking.clean_check import TableState
from db.tracking.listing import ListedColumn, listed_columns, listed_segments
from db.tracking.segments import mark_broken
from db.tracking.tracked_table import TrackedTable, tracked_tables
from query.columnar.coverage import Edge, SegmentFact
from query.columnar.facts import ColumnFact, TableFact
from query.columnar.task import SegmentFile
from query.statement import TableName

FRESH_S = 1.0
MOST_SEGMENTS = 20_000

_log = structlog.stdlib.get_logger("app.columnar")


@dataclass(frozen=True)
class ReadTable:
    """A table with its columns as rendering wants them; `tracked` where it is accelerated."""

    oid: int
    schema: str
    table: str
    fact: TableFact
    tracked: TrackedTable | None = None

    @property
    def name(self) -> str:
        """Its qualified name, for people."""
        return f"{self.schema}.{self.table}"


class KnownTables:
    """Reads as the owner; safe for use by many threads.

    One thread at a time looks for tables again, at most every `fresh_s`, while the others use what
    is known.
    """

    def __init__(
        self,
        own: Database,
        schema: str,
        *,
        fresh_s: float = FRESH_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._schema = schema
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._refreshing = threading.Lock()
        self._read_at = self._stale_at = float("-inf")
        self._tracked: Mapping[tuple[str, str], TrackedTable] = {}
        self._facts: dict[int, ReadTable] = {}
        self._segments: OrderedDict[int, SegmentFact] = OrderedDict()

    def named(self, names: Iterable[TableName]) -> list[TrackedTable]:
        """Return those of the tables that are accelerated, as far as is known."""
        self._refresh()
        if not self._tracked:
            return []
        wanted = dict.fromkeys((name.schema or self._schema, name.name) for name in names)
        return [self._tracked[one] for one in wanted if one in self._tracked]

    def look_anew(self) -> None:
        """Read them now, unless another thread does since this was called."""
        since = self._monotonic()
        with self._refreshing:
            if self._read_at <= since:
                self._read()

    @property
    def any(self) -> bool:
        """Tell whether any table is accelerated, as far as is known."""
        return bool(self._tracked)

    def table(self, tracked: TrackedTable) -> ReadTable | str:
        """Return the table, or why segments cannot stand for it.  Raises DatabaseError."""
        known = self._facts.get(tracked.id)
        if known is not None and known.tracked == tracked:
            return known
        with self._own.connection() as connection:
            columns = listed_columns(connection, tracked.oid)
        if isinstance(columns, str):
            return columns
        known = self._facts[tracked.id] = ReadTable(
            tracked.oid, tracked.schema, tracked.name, _fact(columns), tracked
        )
        return known

    def other_table(self, oid: int, schema: str, name: str) -> ReadTable | str:
        """Return a table that is not accelerated, or why it cannot be read beside segments.

        Who asks holds a lock on it: its columns stay as they are.  Raises DatabaseError.
        """
        with self._own.connection() as connection:
            columns = listed_columns(connection, oid, is_tracked=False)
        if isinstance(columns, str):
            return columns
        return ReadTable(oid, schema, name, _fact(columns))

    def clean(self, state: TableState) -> list[SegmentFact]:
        """Return a table's clean segments.  Raises DatabaseError.

        What is known under the same id, and is not what the check saw, is of another time line:
        PostgreSQL failed over, or was restored.
        """
        for one, mark in state.marks.items():
            fact = self._segments.get(one)
            if fact is not None and not fact.file.sha256.startswith(mark):
                self._segments.pop(one, None)
        return [
            fact
            for fact in self.segments(state.clean)
            if fact.file.sha256.startswith(state.marks.get(fact.id, "?"))
        ]

    def segments(self, ids: Iterable[int]) -> list[SegmentFact]:
        """Return the segments with these ids, as far as they are there.  Raises DatabaseError."""
        wanted = list(ids)
        known = {one: self._segments.get(one) for one in wanted}
        unknown = [one for one, fact in known.items() if fact is None]
        if unknown:
            with self._own.connection() as connection:
                found = listed_segments(connection, unknown)
            for segment in found:
                lower, upper = segment.range.lower, segment.range.upper
                known[segment.id] = self._segments[segment.id] = SegmentFact(
                    segment.id,
                    segment.accelerated,
                    SegmentFile(segment.file_name, segment.byte_size, segment.sha256),
                    segment.row_count,
                    None if lower is None else Edge(lower.key, lower.rank),
                    None if upper is None else Edge(upper.key, upper.rank),
                    {
                        name: (one.get("min"), one.get("max"))
                        for name, one in segment.statistics.items()
                    },
                )
            while len(self._segments) > MOST_SEGMENTS:
                self._segments.popitem(last=False)
        return [fact for fact in known.values() if fact is not None]

    def broken(self, ids: Sequence[int], problem: str) -> None:
        """Have nobody use these segments any more, so that they are built anew."""
        try:
            with self._own.connection() as connection:
                for one in ids:
                    mark_broken(connection, one, problem)
        except (DatabaseError, psycopg.Error) as error:
            _log.warning("broken segments not marked", segments=list(ids), error=str(error))

    def _refresh(self) -> None:
        if self._monotonic() < self._stale_at or not self._refreshing.acquire(blocking=False):
            return
        try:
            self._read()
        finally:
            self._refreshing.release()

    def _read(self) -> None:
        self._read_at = self._monotonic()
        try:
            with self._own.connection() as connection:
                found = tracked_tables(connection)
            self._tracked = {(one.schema, one.name): one for one in found}
            ids = {one.id for one in found}
            self._facts = {one: fact for one, fact in self._facts.items() if one in ids}
        except (DatabaseError, psycopg.Error) as error:
            _log.warning("accelerated tables not read", error=str(error))
        finally:
            self._stale_at = self._monotonic() + self._fresh_s


def _fact(columns: Sequence[ListedColumn]) -> TableFact:
    return TableFact(
        {
            column.name: ColumnFact(
                column.oid,
                column.typmod,
                column.collation,
                column.is_bytewise,
                column.is_deterministic,
            )
            for column in columns
        }
    )

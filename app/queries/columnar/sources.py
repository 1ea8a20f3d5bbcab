"""Tables as they are read for one query: segments, and the key ranges that these leave over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.queries.columnar.known_tables import ReadTable
from app.queries.columnar.prepared import Finished
from query.columnar.coverage import Gap, SegmentFact
from query.columnar.pruning import Bound, may_hold
from query.columnar.task import Fetch
from query.planned import PlannedFragment, ranged_fragment
from query.statement import TableName


@dataclass(frozen=True)
class Source:
    """A table with the segments that may be read for it, in order, and what they leave over.

    So many are `pruned`: they hold no row that is wanted.  `fetch`: what the others lack comes from
    PostgreSQL, into the same fragment.
    """

    table: ReadTable
    segments: tuple[SegmentFact, ...]
    gaps: tuple[Gap, ...]
    dirty_rows: int
    pruned: int = 0
    fetch: Fetch | None = None

    @property
    def rows(self) -> int:
        """How many rows the segments have."""
        return sum(segment.row_count for segment in self.segments)

    def fetching(self) -> "Source":
        """Return the same with all that the segments lack fetched."""
        table = self.table
        if table.tracked is None:
            return replace(self, fetch=Fetch(table.oid, table.schema, table.table, "", "", ()))
        ranges = tuple((gap.low, gap.high) for gap in self.gaps)
        key, type_ = table.tracked.key_column, table.tracked.key.name
        fetch = Fetch(table.oid, table.schema, table.table, key, type_, ranges)
        return replace(self, fetch=fetch)


def pruned(source: Source, bounds: Sequence[Bound]) -> Source:
    """Leave out segments without a row that is wanted; one stays, since a part may be of none."""
    wanted = [one for one in source.segments if may_hold(bounds, one.columns)]
    kept = tuple(wanted or source.segments[:1])
    return replace(source, segments=kept, pruned=len(source.segments) - len(kept))


def words(run: Sequence[SegmentFact], table: TableName) -> str:
    """Say what segments of a table these are."""
    count = len(run)
    rows = sum(segment.row_count for segment in run)
    return f"{count} {'segment' if count == 1 else 'segments'} of {table.name}, {rows} rows"


def ranges_of(
    finished: Finished, shared: Source | None, params: Sequence[str | None]
) -> tuple[PlannedFragment, ...]:
    """Return the fragments for PostgreSQL: what the segments of the driving table leave over."""
    if shared is None or finished.keyed is None:
        return ()
    keyed, table = finished.keyed, shared.table.name
    return tuple(
        ranged_fragment(
            keyed, params, gap.low, gap.high, f"{gap.describe(keyed.column)}, of {table}"
        )
        for gap in shared.gaps
    )

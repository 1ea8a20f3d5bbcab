"""How a query runs over segments."""

from dataclasses import dataclass

from query.catalog import Table
from query.columnar.task import ColumnarFragment
from query.fragment import ColumnType
from query.merge import Merge
from query.planned import PlannedFragment
from query.types import TypeFact


@dataclass(frozen=True)
class ColumnarPart:
    """A fragment, and in words which rows it reads; `segments` maps file names to their ids."""

    fragment: ColumnarFragment
    rows: str
    row_count: int
    segments: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ColumnarPlan:
    """Fragments over segments, and over the key ranges that PostgreSQL answers for.

    All have the partial columns `columns`, of which the first are of `types`, and go into `merge`
    together; without one they follow each other.  `described` are the columns of the whole query.
    `table` is the driving table; None: there is one fragment.  `others` are the names of
    the tables that each fragment reads whole.
    """

    parts: tuple[ColumnarPart, ...]
    ranges: tuple[PlannedFragment, ...]
    columns: tuple[ColumnType, ...]
    types: tuple[TypeFact, ...]
    merge: Merge | None
    table: Table | None
    reason: str
    described: tuple[ColumnType, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def mode(self) -> str:
        """What the answer says of how it was computed."""
        return "mixed" if self.ranges else "columnar"

    def ids_of(self, names: frozenset[str]) -> list[int]:
        """Return the ids of the segments with these file names."""
        found = {id_ for part in self.parts for name, id_ in part.segments if name in names}
        return sorted(found)

"""Which rows of a table segments hold, and which key ranges are left for PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from query.columnar.task import SegmentFile


@dataclass(frozen=True)
class Edge:
    """Where a range ends and the next begins: a key as SQL writes it, and a number in its order."""

    key: str
    rank: int


@dataclass(frozen=True)
class SegmentFact:
    """A segment of a table: keys from `lower` on, and below `upper` (None: all that is there).

    `columns` maps those in the file to their least and greatest value as text, None where it is
    not known.  `acceleration` numbers that of the table: accelerated anew, it has another.
    """

    id: int
    acceleration: int
    file: SegmentFile
    row_count: int
    lower: Edge | None
    upper: Edge | None
    columns: Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True)
class Gap:
    """A range of keys that no segment covers; None: no bound."""

    low: str | None
    high: str | None

    def describe(self, column: str) -> str:
        """Return the range in words."""
        if self.low is None:
            return f"{column} below {self.high}"
        return f"{column} from {self.low}" + ("" if self.high is None else f" to {self.high}")


def in_order(segments: Sequence[SegmentFact]) -> list[SegmentFact]:
    """Sort by ranges, which do not overlap."""
    return sorted(segments, key=_begin)


def gaps(ordered: Sequence[SegmentFact]) -> list[Gap]:
    """Return the ranges that `ordered` segments leave over, in order, neighbours as one."""
    found: list[Gap] = []
    reached: Edge | None = None  # everything below is covered or in a gap
    for number, segment in enumerate(ordered):
        if segment.lower is not None and (number == 0 or _is_below(reached, segment.lower)):
            found.append(Gap(None if reached is None else reached.key, segment.lower.key))
        reached = segment.upper
        if reached is None:
            return found
    found.append(Gap(None if reached is None else reached.key, None))
    return found


def _begin(segment: SegmentFact) -> float:
    return float("-inf") if segment.lower is None else segment.lower.rank


def _is_below(reached: Edge | None, lower: Edge) -> bool:
    return reached is not None and reached.rank < lower.rank

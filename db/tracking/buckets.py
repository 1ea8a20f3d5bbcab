"""Buckets: half-open key ranges that together hold every key of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from db.tracking.errors import CutsDoNotFit


@dataclass(frozen=True)
class Cut:
    """A key at which one bucket ends and the next begins: as SQL writes it, and its rank."""

    key: str
    rank: int


@dataclass(frozen=True)
class KeyRange:
    """From `lower` on, and below `upper`; None: no bound."""

    lower: Cut | None
    upper: Cut | None


@dataclass(frozen=True)
class Bucket:
    """A range with the id under which triggers log its changes."""

    id: int
    range: KeyRange


def ranges_between(lower: Cut | None, cuts: Sequence[Cut], upper: Cut | None) -> list[KeyRange]:
    """Cut what lies from `lower` to `upper`; the last range is the tail where `upper` is None.

    Raises CutsDoNotFit unless all rise strictly by rank.
    """
    bounds = [lower, *cuts, upper]
    given = [cut.rank for cut in bounds if cut is not None]
    if any(before >= after for before, after in pairwise(given)):
        raise CutsDoNotFit(f"The bounds do not rise: {given[:20]}.")
    return [KeyRange(before, after) for before, after in pairwise(bounds)]


def span_of(buckets: Sequence[Bucket]) -> KeyRange:
    """Return the range that neighbours, in order, cover.  Raises CutsDoNotFit if they are none."""
    if not buckets or any(
        before.range.upper is None or before.range.upper != after.range.lower
        for before, after in pairwise(buckets)
    ):
        raise CutsDoNotFit("Only neighbouring buckets can be cut anew together.")
    return KeyRange(buckets[0].range.lower, buckets[-1].range.upper)

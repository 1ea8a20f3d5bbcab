"""Answers, and whether two are the same."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

Row = tuple[str | None, ...]
# sums of floats depend on the order of addition, and DuckDB's avg is a float
BOUND = 1e-9
FLOATS = ("real", "double precision")
NUMBERS = (*FLOATS, "numeric", "bigint", "integer", "smallint")


@dataclass(frozen=True)
class Answer:
    """Values as text, times as ISO 8601; `types` are PostgreSQL's, and None of another engine."""

    rows: list[Row]
    types: Sequence[str] | None


def verdict(ours: Answer, theirs: Answer) -> str:
    """Tell whether our answer is PostgreSQL's, theirs: "equal", "ties" or "DIFFERS".

    Ties: the rows are equal, in another order; of equal sort keys any order is right.  Every
    character counts but for floats.  Of an engine of other types, numbers are compared as such.
    """
    is_strict = ours.types is not None
    near = FLOATS if is_strict else NUMBERS
    bounded = [name.partition("(")[0] in near for name in theirs.types or ()]
    if len(ours.rows) != len(theirs.rows) or (is_strict and ours.types != theirs.types):
        return "DIFFERS"
    if _same(ours.rows, theirs.rows, bounded):
        return "equal"
    if not any(bounded):
        return "ties" if Counter(ours.rows) == Counter(theirs.rows) else "DIFFERS"
    both = [sorted(one.rows, key=lambda row: _sort_key(row, bounded)) for one in (ours, theirs)]
    return "ties" if _same(both[0], both[1], bounded) else "DIFFERS"


def _same(ours: Sequence[Row], theirs: Sequence[Row], bounded: Sequence[bool]) -> bool:
    return all(
        len(one) == len(other) == len(bounded)
        and all(
            a == b or (near and _near(a, b)) for a, b, near in zip(one, other, bounded, strict=True)
        )
        for one, other in zip(ours, theirs, strict=True)
    )


def _near(a: str | None, b: str | None) -> bool:
    if a is None or b is None:
        return False
    try:
        one, other = Decimal(a), Decimal(b)
    except InvalidOperation:
        return False
    if not (one.is_finite() and other.is_finite()):
        return False
    return one == other or math.isclose(one, other, rel_tol=BOUND, abs_tol=1e-12)


def _sort_key(row: Row, bounded: Sequence[bool]) -> list[tuple[bool, str]]:
    """Return a key by which rows that are near sort alike, but for rare bounds of rounding."""
    return [
        (value is None, f"{float(value):.6e}" if near and value is not None else value or "")
        for value, near in zip(row, bounded, strict=True)
    ]

"""Cutting a table into partitions by the values of one of its columns.

Ranges are half-open: from a bound up to, not including, the next one, in the order of the column's
own type and collation.  The first takes what lies below the first bound, and the rows without a
value; the last takes all from the last bound on.  So whatever the bounds are, while they ascend
each row lies in exactly one range, and rows with equal values lie in the same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.types import (
    DATE,
    INT2,
    INT4,
    INT8,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    VARCHAR,
)

# By the type's oid, its name in casts.  In all of them `<` and `>=` order all values, NaN and the
# infinities among them, by the same notion of equality that PARTITION BY and GROUP BY have.
KEY_TYPES: Mapping[int, str] = {
    INT2: "smallint",
    INT4: "integer",
    INT8: "bigint",
    NUMERIC: "numeric",
    DATE: "date",
    TIMESTAMP: "timestamp without time zone",
    TIMESTAMPTZ: "timestamp with time zone",
    TEXT: "text",
    VARCHAR: "character varying",
    UUID: "uuid",
}


@dataclass(frozen=True)
class KeyValue:
    """A value of the column in PostgreSQL's text format, and estimates of numbers of rows.

    `below` lie between the value before it and this one, `at` have this value.
    """

    text: str
    below: float
    at: float


@dataclass(frozen=True)
class KeyRange:
    """Values from `low` up to, not including, `high`; None: open, below together with NULLs.

    `share` is the estimated share of the rows that lie in it.
    """

    low: str | None
    high: str | None
    share: float

    def describe(self, column: str) -> str:
        """Return the range in words."""
        if self.low is None:
            return f"{column} below {self.high}, or null"
        return f"{column} from {self.low}" + ("" if self.high is None else f" to {self.high}")


def key_ranges(values: Sequence[KeyValue], nulls: float, count: int) -> list[KeyRange]:
    """Cut into at most `count` ranges of nearly equal share; none if they cannot be two.

    `values` ascend as PostgreSQL sorts them; `nulls` is the number of rows without one.
    """
    starts, passed = [], nulls
    for value in values:
        starts.append(passed + value.below)
        passed += value.below + value.at
    total = passed
    chosen: list[int] = []
    for number in range(1, count):
        wanted = total * number / count
        left = [
            place
            for place in range(chosen[-1] + 1 if chosen else 0, len(values))
            if 0 < starts[place] < total
            and (not chosen or values[place].text != values[chosen[-1]].text)
        ]
        if not left:
            break
        chosen.append(min(left, key=lambda place: abs(starts[place] - wanted)))
    if not chosen:
        return []
    bounds = [values[place].text for place in chosen]
    edges = [0.0, *[starts[place] for place in chosen], total]
    return [
        KeyRange(low, high, (edges[number + 1] - edges[number]) / total)
        for number, (low, high) in enumerate(
            zip([None, *bounds], [*bounds, None], strict=True)
        )
    ]  # fmt: skip


def range_condition(
    column: exp.Column, low: exp.Expr | None, high: exp.Expr | None, *, nullable: bool
) -> exp.Expr:
    """Return the condition that `column` lies in a range whose bounds are `low` and `high`."""
    if low is None:
        assert high is not None  # noqa: S101 - there are two ranges at least
        below = exp.LT(this=column.copy(), expression=high)
        if not nullable:
            return below
        null = exp.Is(this=column.copy(), expression=exp.Null())
        return exp.Paren(this=exp.Or(this=below, expression=null))
    above = exp.GTE(this=column.copy(), expression=low)
    if high is None:
        return above
    return exp.And(this=above, expression=exp.LT(this=column.copy(), expression=high))

"""What makes two answers equal: names, types, rows, and their order as far as it is defined."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

Row = tuple[str | None, ...]

# equal values of these may look different, so the order among them is not defined by the text
FLOATS = frozenset({700, 701})
NUMERIC, BPCHAR = 1700, 1042
PLAIN = frozenset({16, 17, 20, 21, 23, 25, 1043, 1082, 1083, 1114, 1184, 2950})
# an expression over the one column whose collation is not deterministic
FOLDED = re.compile(r"\btn\b|\bfolded\b", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """How a query ended: with rows, or with the SQLSTATE of an error.

    `columns` are name, type and type modifier of each; `mode` and `reason` as the service gives
    them.  `beyond` are PostgreSQL's rows after as many as the service gives at most.
    """

    columns: tuple[tuple[str, int, int], ...] = ()
    rows: tuple[Row, ...] = ()
    beyond: tuple[Row, ...] = ()
    sqlstate: str | None = None
    message: str = ""
    mode: str = "direct"
    reason: str = ""
    snapshot: str = ""


def difference(ours: Outcome, theirs: Outcome, order: Sequence[int], sql: str) -> str | None:
    """Return in a few words how `ours` differs from PostgreSQL's, None if it does not."""
    if ours.sqlstate != theirs.sqlstate:
        told = (f"{outcome.sqlstate} ({outcome.message})" for outcome in (ours, theirs))
        return f"errors: {', PostgreSQL '.join(told)}"
    if ours.sqlstate is not None:
        return None
    if ours.columns != theirs.columns:
        return f"columns: {ours.columns}, PostgreSQL {theirs.columns}"
    # of a cut-off answer, any rows are right that could stand first in the order asked for
    allowed = Counter(theirs.rows) + Counter(theirs.beyond)
    if len(ours.rows) != len(theirs.rows) or not Counter(ours.rows) <= allowed:
        more, less = (Counter(ours.rows) - allowed, Counter(theirs.rows) - Counter(ours.rows))
        return f"rows: {_some(more)} instead of {_some(less)}"
    oids = [oid for _, oid, _ in ours.columns]
    places = _comparable(order, oids, sql)
    if _sorted_part(ours.rows, places, oids) != _sorted_part(theirs.rows, places, oids):
        return f"order: by columns {places}"
    return None


def _some(rows: Counter[Row]) -> str:
    shown = [f"{row} x {count}" for row, count in list(rows.items())[:3]]
    return f"{sum(rows.values())} rows [{', '.join(shown)}]"


def _comparable(order: Sequence[int], oids: Sequence[int], sql: str) -> list[int]:
    """Return the leading sort keys whose values are equal only if their normal texts are."""
    places: list[int] = []
    for place in order:
        known = oids[place] in PLAIN | FLOATS | {NUMERIC, BPCHAR}
        if not known or FOLDED.search(sql):
            break
        places.append(place)
    return places


def _sorted_part(rows: Sequence[Row], places: Sequence[int], oids: Sequence[int]) -> list[object]:
    return [tuple(_normal(row[place], oids[place]) for place in places) for row in rows]


def _normal(text: str | None, oid: int) -> object:
    if text is None:
        return None
    if oid in FLOATS:
        return str(float(text) + 0.0)  # NaN as text is equal to itself; -0 becomes 0
    if oid == NUMERIC:
        return str(Decimal(text).normalize() + 0)
    return text.rstrip(" ") if oid == BPCHAR else text

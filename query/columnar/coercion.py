"""Casts that PostgreSQL inserts without being asked, made explicit."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal

from sqlglot import exp

from query.columnar.context import refuse
from query.columnar.kinds import (
    EXACT,
    FLOATS,
    INTEGERS,
    MOST_DIGITS,
    TEMPORAL,
    Kind,
    as_numeric,
    numeric,
)
from query.columnar.values import UNKNOWN, Value, constant, null_of, read


def cast(value: Value, kind: Kind) -> Value:
    """Return `value` cast to a kind of a larger range; constants stay constants."""
    if value.kind.name != "numeric" and kind.name == "numeric":
        if isinstance(value.constant, int):
            digits = len(str(abs(value.constant)))
            return constant(Decimal(value.constant), numeric(digits, 0))
        return replace(value, sql=f"CAST({value.sql} AS {as_numeric(value.kind).duckdb})",
                       kind=as_numeric(value.kind), constant=None)  # fmt: skip
    if value.kind.name == kind.name:
        return value
    if isinstance(value.constant, int) and kind.name in INTEGERS:
        return constant(value.constant, kind)
    return replace(value, sql=f"CAST({value.sql} AS {kind.duckdb})", kind=kind, constant=None)


def at_scale(value: Value, digits: int, scale: int) -> Value:
    """Return a numeric with so many digits for DuckDB; what PostgreSQL shows is not changed."""
    if (value.kind.digits, value.kind.scale) == (digits, scale):
        return value
    kind = numeric(digits, scale, *value.kind.scales)
    return replace(value, sql=f"CAST({value.sql} AS {kind.duckdb})", kind=kind, constant=None)


def one_kind(node: exp.Expr, values: Sequence[Value]) -> tuple[list[Value], Kind]:
    """Return `values` as one kind, as PostgreSQL's select_common_type finds it, and that kind.

    Numerics keep the scales that PostgreSQL shows, each its own.  Raises NotColumnar.
    """
    known = [value.kind for value in values if value.kind != UNKNOWN]
    if not known:
        refuse(node, "nothing in it tells its type")
    names = {kind.name for kind in known}
    if len(names) == 1 or names <= set(EXACT) or names <= set(FLOATS):
        name = max(names, key=(*EXACT, *FLOATS).index) if len(names) > 1 else known[0].name
    else:
        refuse(node, f"it mixes {' and '.join(sorted(names))}")
    target = replace(known[0], name=name) if name in ("text", "bpchar") else Kind(name)
    if name in ("text", "bpchar"):
        target = _one_collation(node, known)
    found = [_as(node, value, target) for value in values]
    if name != "numeric":
        return found, target
    scale = max(value.kind.scale for value in found)
    whole = max(value.kind.digits - value.kind.scale for value in found)
    digits = min(MOST_DIGITS, whole + scale)
    found = [at_scale(value, digits, scale) for value in found]
    return found, numeric(digits, scale, *{one for value in found for one in value.kind.scales})


def _one_collation(node: exp.Expr, kinds: Sequence[Kind]) -> Kind:
    collations = {kind.collation for kind in kinds if kind.collation}
    if len(collations) > 1:
        refuse(node, "its strings have different collations")
    best = next((kind for kind in kinds if kind.collation), kinds[0])
    lengths = {kind.length for kind in kinds}
    return replace(best, length=lengths.pop() if len(lengths) == 1 else -1)


def _as(node: exp.Expr, value: Value, kind: Kind) -> Value:
    if value.is_null:
        return null_of(numeric(1, 0) if kind.name == "numeric" else kind)
    if value.kind == UNKNOWN:
        found = read(str(value.constant), kind)
        if found is None:
            refuse(node, f"{value.constant!r} is not a {kind.name} of a plain form")
        return found
    return cast(value, kind)


def comparable(node: exp.Expr, values: Sequence[Value]) -> tuple[list[Value], Kind]:
    """Return `values` as what PostgreSQL compares them as, and that kind.

    Raises NotColumnar.
    """
    names = {value.kind.name for value in values} - {"unknown"}
    if len(names) > 1 and names <= set(TEMPORAL):
        if all(value.kind.name == "date" or _is_midnight(value) for value in values):
            return [_as_date(value) for value in values], Kind("date")
        return [_as_timestamp(node, value) for value in values], Kind("timestamp")
    if len(names) > 1 and names & set(FLOATS) and names <= {*FLOATS, *INTEGERS}:
        return [_as(node, value, Kind("float8")) for value in values], Kind("float8")
    found, kind = one_kind(node, values)
    if kind.name == "bpchar":
        trimmed = [replace(one, sql=f"rtrim({one.sql}, ' ')") for one in found]
        return trimmed, kind
    return found, kind


def _is_midnight(value: Value) -> bool:
    return isinstance(value.constant, datetime) and value.constant.time() == time()


def _as_date(value: Value) -> Value:
    """Return a date, or the date of a midnight: so segments' statistics are of use."""
    if isinstance(value.constant, datetime):
        return constant(value.constant.date(), Kind("date"))
    return value


def _as_timestamp(node: exp.Expr, value: Value) -> Value:
    if value.kind.name == "date":
        sql = f"CAST({value.sql} AS TIMESTAMP)"
        return replace(value, sql=sql, kind=Kind("timestamp"), constant=None)
    return _as(node, value, Kind("timestamp"))

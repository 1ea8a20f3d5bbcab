"""What picks one of several values: CASE, coalesce, nullif, greatest, least."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from query.columnar.coercion import comparable, one_kind
from query.columnar.comparing import compared
from query.columnar.context import Context, check_parts, raises, refuse
from query.columnar.kinds import FLOATS, Kind
from query.columnar.values import UNKNOWN, Value


def case(node: exp.Expr, context: Context) -> Value:
    """Render CASE, with or without an operand."""
    context.use("case")
    whens = node.args["ifs"]
    for when in whens:
        check_parts(when, "this", "true")
    conditions = [_condition(node, when.this, context) for when in whens]
    default = node.args.get("default")
    results = [when.args["true"] for when in whens]
    results.append(default if default is not None else exp.Null())
    values, kind = _chosen(node, [context.value(result) for result in results])
    shown = None
    if len(kind.scales) > 1:
        shown = _case([one.sql for one in conditions], [one.scale_sql for one in values])
    sql = _case([one.sql for one in conditions], [one.sql for one in values])
    return Value(sql, kind, raises(*conditions, *values), shown=shown)


def _condition(node: exp.Expr, condition: exp.Expr, context: Context) -> Value:
    operand = node.args.get("this")
    if operand is None:
        return context.condition(condition)
    (left, right), _ = compared(node, [operand, condition], context)
    context.use("equality")
    return Value(f"({left.sql} = {right.sql})", Kind("bool"), raises(left, right))


def _case(conditions: Sequence[str], results: Sequence[str]) -> str:
    *firsts, last = results
    whens = " ".join(
        f"WHEN {condition} THEN {result}"
        for condition, result in zip(conditions, firsts, strict=True)
    )
    return f"(CASE {whens} ELSE {last} END)"


def _chosen(node: exp.Expr, values: Sequence[Value]) -> tuple[list[Value], Kind]:
    """Return the values as one kind.  Raises NotColumnar."""
    if all(value.kind == UNKNOWN for value in values):
        # strings alone are text, of the database's collation
        values = [one if one.is_null else replace(one, kind=Kind("text")) for one in values]
    found, kind = one_kind(node, values)
    if kind.name in FLOATS or (kind.name == "bpchar" and kind.length < 0):
        refuse(node, f"a choice among {kind.name} is not on the list")
    return found, kind


def coalesce(node: exp.Expr, context: Context) -> Value:
    """Render coalesce."""
    context.use("coalesce")
    given = [context.value(part) for part in (node.this, *node.expressions)]
    values, kind = _chosen(node, given)
    sql = f"coalesce({', '.join(value.sql for value in values)})"
    shown = None
    if len(kind.scales) > 1:
        *firsts, last = values
        shown = _case([f"{one.sql} IS NOT NULL" for one in firsts],
                      [*[one.scale_sql for one in firsts], last.scale_sql])  # fmt: skip
    return Value(sql, kind, raises(*values), shown=shown)


def nullif(node: exp.Expr, context: Context) -> Value:
    """Render nullif, whose result is its first argument as PostgreSQL's = takes it."""
    context.use("nullif")
    left, right = context.typed(node.this), context.value(node.expression)
    values, kind = comparable(node, [left, right])
    if kind.name != left.kind.name or kind.name in FLOATS:
        refuse(node, "its arguments are of two types")
    condition = f"{values[0].sql} = {values[1].sql}"
    sql = f"(CASE WHEN {condition} THEN NULL ELSE {left.sql} END)"
    return Value(sql, left.kind, raises(left, right), shown=left.shown)


def extreme(node: exp.Expr, context: Context) -> Value:
    """Render greatest and least."""
    context.use("greatest least")
    given = [context.value(part) for part in (node.this, *node.expressions)]
    values, kind = _chosen(node, given)
    if not kind.looks_alike or kind.name == "bpchar" or not kind.sorts_by_bytes:
        refuse(node, "equal ones may look different, or their order is not that of bytes")
    name = "greatest" if isinstance(node, exp.Greatest) else "least"
    sql = f"{name}({', '.join(value.sql for value in values)})"
    return Value(sql, kind, raises(*values))

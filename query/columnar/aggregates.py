"""Aggregates."""

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from query.aggregate_call import AggregateCall, read_call
from query.aggregates import CannotSplit
from query.columnar.averages import LARGEST, average
from query.columnar.context import Context, refuse
from query.columnar.kinds import INTEGERS, MOST_DIGITS, Kind, numeric
from query.columnar.values import BOOL, UNKNOWN, Value

INT8 = Kind("int8")


def aggregate(node: exp.Expr, context: Context) -> Value:
    """Render the call of an aggregate, with its FILTER."""
    try:
        call = read_call(node)
    except CannotSplit as error:
        refuse(node, error.reason)
    renders = CALLS.get(call.name)
    if renders is None or call.within or call.order or len(call.arguments) != 1:
        refuse(node, "such a call is not on the list")
    columns = list(node.find_all(exp.Column))
    if columns and not any(context.scope.owns(column) for column in columns):
        refuse(node, "it may be an aggregate of the query around")
    return renders(node, call, _Filter(call, context), context)


class _Filter:
    """Adds FILTER to a call."""

    def __init__(self, call: AggregateCall, context: Context) -> None:
        self._condition = ""
        if call.filter_ is not None:
            context.use("filter")
            value = context.condition(call.filter_)
            if value.raises:
                refuse(call.filter_, "it may raise an error")
            self._condition = f" FILTER (WHERE {value.sql})"

    def __call__(self, sql: str) -> str:
        return sql + self._condition


def _count(node: exp.Expr, call: AggregateCall, over: _Filter, context: Context) -> Value:
    context.use("count")
    (argument,) = call.arguments
    if isinstance(argument, exp.Star):
        return Value(over("count(*)"), INT8)
    value = context.value(argument)
    if value.kind == UNKNOWN:
        refuse(node, "nothing tells the type of what is counted")
    if call.is_distinct and not value.kind.looks_alike and value.kind.name != "numeric":
        refuse(node, f"equal values of {value.kind.name} may look different")
    distinct = "DISTINCT " if call.is_distinct else ""
    return Value(over(f"count({distinct}{value.sql})"), INT8, value.raises)


def _sum(node: exp.Expr, call: AggregateCall, over: _Filter, context: Context) -> Value:
    value = context.typed(call.arguments[0])
    distinct = "DISTINCT " if call.is_distinct else ""
    total = over(f"sum({distinct}{value.sql})")
    if value.kind.name in INTEGERS:
        context.use("sum of integers")
        kind = INT8 if value.kind.name != "int8" else numeric(MOST_DIGITS, 0)
        return Value(f"CAST({total} AS {kind.duckdb})", kind, value.raises)
    if value.kind.name != "numeric":
        refuse(node, f"sums of {value.kind.name} are not on the list")
    if call.is_distinct and not value.kind.looks_alike:
        refuse(node, "which of equal values it takes decides its scale")
    context.use("sum of numerics")
    kind = numeric(MOST_DIGITS, value.kind.scale, *value.kind.scales)
    shown = None
    if value.shown is not None:
        shown = over(f"max(CASE WHEN {value.sql} IS NOT NULL THEN {value.shown} END)")
    return Value(f"CAST({total} AS {kind.duckdb})", kind, value.raises, shown=shown)


def _average(node: exp.Expr, call: AggregateCall, over: _Filter, context: Context) -> Value:
    value = context.typed(call.arguments[0])
    if value.kind.name not in (*INTEGERS, "numeric") or not value.kind.looks_alike:
        refuse(node, "averages are on the list for integers and numerics of one scale")
    scale = value.kind.scales[0] if value.kind.name == "numeric" else 0
    if scale > LARGEST or call.is_distinct:
        refuse(node, "such an average is not on the list")
    context.use("avg")
    total = f"CAST({over(f'sum({value.sql})')} AS DECIMAL({MOST_DIGITS},{scale}))"
    sql, shown, kind = average(total, scale, over(f"count({value.sql})"))
    return Value(sql, kind, value.raises, shown=shown)


def _extreme(node: exp.Expr, call: AggregateCall, over: _Filter, context: Context) -> Value:
    value = context.typed(call.arguments[0])
    kind = value.kind
    if not kind.looks_alike or kind.name in ("bpchar", "uuid") or not kind.sorts_by_bytes:
        refuse(node, "equal ones may look different, or their order is not that of bytes")
    context.use("min max")
    return Value(over(f"{call.name}({value.sql})"), kind, value.raises)


def _logic(_: exp.Expr, call: AggregateCall, over: _Filter, context: Context) -> Value:
    context.use("bool aggregates")
    value = context.condition(call.arguments[0])
    name = "bool_or" if call.name == "bool_or" else "bool_and"
    return Value(over(f"{name}({value.sql})"), BOOL, value.raises)


def _bits(node: exp.Expr, call: AggregateCall, over: _Filter, context: Context) -> Value:
    value = context.typed(call.arguments[0])
    if value.kind.name not in INTEGERS or call.is_distinct:
        refuse(node, "bits are those of integers")
    context.use("bit aggregates")
    # over no values DuckDB has a neutral element, and PostgreSQL null
    bits = f"CAST({over(f'{call.name}({value.sql})')} AS {value.kind.duckdb})"
    sql = f"(CASE WHEN {over(f'count({value.sql})')} > 0 THEN {bits} END)"
    return replace(value, sql=sql, constant=None)


CALLS: dict[str, Callable[[exp.Expr, AggregateCall, _Filter, Context], Value]] = {
    "count": _count, "sum": _sum, "avg": _average, "min": _extreme, "max": _extreme,
    "bool_and": _logic, "bool_or": _logic, "every": _logic,
    "bit_and": _bits, "bit_or": _bits, "bit_xor": _bits,
}  # fmt: skip

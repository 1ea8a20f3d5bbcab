"""Conditions: comparisons, nulls and logic."""

from sqlglot import exp

from query.columnar.coercion import comparable
from query.columnar.context import Context, raises, refuse
from query.columnar.kinds import FLOATS, Kind
from query.columnar.values import BOOL, Value, string

EQUAL: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip
ORDERED: dict[type[exp.Expr], str] = {exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}


def equal(node: exp.Expr, context: Context) -> Value:
    """Render =, <>, IS [NOT] DISTINCT FROM."""
    if isinstance(node.expression, exp.Any | exp.All):
        refuse(node, "ANY and ALL are not on the list")
    values, _ = compared(node, [node.this, node.expression], context)
    context.use(
        "distinct from" if isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ) else "equality"
    )
    return _condition(f"{values[0].sql} {EQUAL[type(node)]} {values[1].sql}", *values)


def ordered(node: exp.Expr, context: Context) -> Value:
    """Render <, <=, > and >=."""
    if isinstance(node.expression, exp.Any | exp.All):
        refuse(node, "ANY and ALL are not on the list")
    values, _ = compared(node, [node.this, node.expression], context, in_order=True)
    context.use("order")
    return _condition(f"{values[0].sql} {ORDERED[type(node)]} {values[1].sql}", *values)


def between(node: exp.Expr, context: Context) -> Value:
    """Render BETWEEN, whose bounds PostgreSQL compares each by itself."""
    context.use("between")
    lows, _ = compared(node, [node.this, node.args["low"]], context, in_order=True)
    highs, _ = compared(node, [node.this, node.args["high"]], context, in_order=True)
    text = f"{lows[0].sql} >= {lows[1].sql} AND {highs[0].sql} <= {highs[1].sql}"
    if raises(*lows, *highs):
        refuse(node, "what may raise an error stands in it")
    return _condition(text, *lows, *highs)


def compared(
    node: exp.Expr, parts: list[exp.Expr], context: Context, *, in_order: bool = False
) -> tuple[list[Value], Kind]:
    """Render what is compared.  Raises NotColumnar, also where order is wanted and is not ours."""
    values, kind = comparable(node, [context.value(part) for part in parts])
    if in_order and not kind.sorts_by_bytes:
        refuse(node, f"the order of such {kind.name} is not known to be that of bytes")
    if kind.name in FLOATS:
        context.use("float order")
    if kind.name == "bpchar":
        context.use("char equality")
    return values, kind


def _condition(sql: str, *parts: Value) -> Value:
    return Value(f"({sql})", BOOL, raises(*parts))


def in_list(node: exp.In, context: Context) -> Value:
    """Render IN over a list; PostgreSQL finds one type for all of it."""
    context.use("in list")
    values, _ = compared(node, [node.this, *node.expressions], context)
    if raises(*values[1:]):
        refuse(node, "what may raise an error stands in the list")
    first, *others = values
    return _condition(f"{first.sql} IN ({', '.join(one.sql for one in others)})", *values)


def both(node: exp.Expr, context: Context) -> Value:
    """Render AND and OR."""
    context.use("and or not")
    left, right = context.condition(node.this), context.condition(node.expression)
    if raises(left, right):
        refuse(node, "one side may raise an error, and the other may be met first")
    word = "AND" if isinstance(node, exp.And) else "OR"
    return _condition(f"{left.sql} {word} {right.sql}")


def negated(node: exp.Expr, context: Context) -> Value:
    """Render NOT."""
    context.use("and or not")
    value = context.condition(node.this)
    return _condition(f"NOT {value.sql}", value)


def is_what(node: exp.Expr, context: Context) -> Value:
    """Render IS NULL, IS TRUE and IS FALSE."""
    what = node.expression
    if isinstance(what, exp.Null):
        context.use("is null")
        value = context.typed(node.this)
        return _condition(f"{value.sql} IS{_not(node)} NULL", value)
    if not isinstance(what, exp.Boolean):
        refuse(node, "it is not on the list")
    context.use("is true")
    value = context.condition(node.this)
    truth = "true" if what.this else "false"
    same = "IS DISTINCT FROM" if node.args.get("negate") else "IS NOT DISTINCT FROM"
    return _condition(f"{value.sql} {same} {truth}", value)


def like(node: exp.Expr, context: Context) -> Value:
    """Render LIKE with a constant pattern."""
    value, pattern = context.typed(node.this), context.value(node.expression)
    text = pattern.constant
    if value.kind.name != "text" or pattern.kind.name not in ("text", "unknown"):
        refuse(node, "LIKE is on the list for text alone")
    if not isinstance(text, str) or "\\" in text:
        refuse(node, "only constant patterns without a backslash are on the list")
    context.use("like")
    return _condition(f"{value.sql}{_not(node)} LIKE {string(text)}", value)


def _not(node: exp.Expr) -> str:
    """Return the NOT that our parser keeps within the node."""
    return " NOT" if node.args.get("negate") else ""

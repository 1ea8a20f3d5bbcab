"""Queries inside expressions: EXISTS, IN, and those of one value."""

from sqlglot import exp

from query.aggregate_call import own_aggregates
from query.branches import unwrapped
from query.columnar.coercion import comparable
from query.columnar.comparing import in_list
from query.columnar.context import Context, raises, refuse
from query.columnar.kinds import FLOATS
from query.columnar.values import BOOL, Value
from query.trees import copied


def within(node: exp.Expr, context: Context) -> Value:
    """Render IN, over a list or a query."""
    assert isinstance(node, exp.In)  # noqa: S101 - its type chose this rule
    query = node.args.get("query")
    if query is None:
        return in_list(node, context)
    context.use("in subquery")
    value = context.typed(node.this)
    rows = context.query(unwrapped(query), context)
    if len(rows.columns) != 1:
        refuse(node, "rows are not compared")
    inner = rows.columns[0][1]
    found, kind = comparable(node, [value, inner])
    kinds_differ = found[1].sql != inner.sql
    if kinds_differ or kind.name in FLOATS or kind.name == "bpchar":
        refuse(node, "both sides must be of one type")
    if raises(value, inner):
        refuse(node, "one side may raise an error")
    return Value(f"({found[0].sql} IN ({rows.only(inner.sql)}))", BOOL)


def exists(node: exp.Expr, context: Context) -> Value:
    """Render EXISTS of a plain SELECT."""
    query = unwrapped(node.this)
    parts = {part for part, value in query.args.items() if value}
    if not isinstance(query, exp.Select) or not parts <= {"expressions", "from_", "joins", "where"}:
        refuse(node, "EXISTS is on the list for a plain SELECT alone")
    if any(True for output in query.expressions for _ in own_aggregates(output)):
        refuse(node, "an aggregate always has a row")
    context.use("exists")
    bare = copied(query)
    bare.set("expressions", [exp.Literal.number(1)])
    rows = context.query(bare, context)
    return Value(f"(EXISTS ({rows.sql}))", BOOL)


def scalar(node: exp.Expr, context: Context) -> Value:
    """Render a query that has one row whatever it reads: an aggregate without GROUP BY."""
    query = unwrapped(node.this)
    if not isinstance(query, exp.Select) or len(query.expressions) != 1:
        refuse(node, "only a SELECT of one value is on the list")
    parts = {part for part, value in query.args.items() if value}
    if not parts <= {"expressions", "from_", "joins", "where"} or not any(
        True for _ in own_aggregates(query.expressions[0])
    ):
        refuse(node, "only an aggregate without GROUP BY surely has one row")
    context.use("scalar subquery")
    rows = context.query(query, context)
    ((_, value),) = rows.columns
    shown = f"({rows.only(value.shown)})" if value.shown is not None else None
    return Value(f"({rows.only(value.sql)})", value.kind, value.raises, shown=shown)

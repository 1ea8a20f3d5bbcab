"""What a query inside the query may hold, where every fragment runs it anew.

Its rows may come in another order each time, so nothing in it may depend on that: no LIMIT, no
sum of floats, and no choice among equal values that look different.
"""

from collections.abc import Iterator

from sqlglot import exp

from query.branches import unwrapped
from query.catalog import Catalog
from query.dialect import render
from query.numbers import is_exact_number
from query.statement import identifier
from query.types import BPCHAR, FLOATS, INTERVAL, NUMERIC, TEMPORAL

# Over values that have one representation each, these yield such values.
ONE_REPRESENTATION_NODES = (
    exp.Identifier, exp.Paren, exp.Add, exp.Sub, exp.Mul, exp.Mod, exp.Case, exp.If, exp.Coalesce,
    exp.Nullif, exp.Greatest, exp.Least, exp.Trim, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT,
    exp.LTE, exp.Is, exp.And, exp.Or, exp.Not, exp.Null, exp.Boolean, exp.Extract, exp.Var,
    exp.Substring, exp.DPipe, exp.DataType,
)  # fmt: skip
# They take one of several values, so 0 and 0.00 may come from two columns of one scale each.
MIXING_NODES = (exp.Case, exp.Coalesce, exp.Greatest, exp.Least)
ONE_REPRESENTATION_CALLS = frozenset({
    "btrim", "char_length", "date_trunc", "left", "length", "lower", "ltrim", "md5", "reverse",
    "right", "rtrim", "split_part", "substr", "to_char", "upper",
})  # fmt: skip
ONE_REPRESENTATION_TARGETS = frozenset({"BIGINT", "BOOLEAN", "DATE", "INT", "SMALLINT", "TEXT"})


def nested_reasons(node: exp.Expr, tree: exp.Expr, catalog: Catalog) -> Iterator[str]:
    """Yield why a SELECT or UNION inside `tree` might mean something else in each fragment."""
    if node is tree or _is_outermost(node, tree):
        return
    if any(node.args.get(part) is not None for part in ("limit", "offset")):
        yield "a LIMIT inside the query may pick other rows in each fragment"
    if isinstance(node, exp.Union):
        if node.args.get("distinct") is not False:
            yield "a UNION without ALL inside the query may pick among equal values"
        return
    yield from _aggregates(node, catalog)
    yield from _keys(node, catalog)


def _is_outermost(node: exp.Expr, tree: exp.Expr) -> bool:
    """Tell whether `node` is a UNION, or the only SELECT, at the top of the query."""
    above = node
    while isinstance(above.parent, exp.Union | exp.Subquery):
        above = above.parent
    if above is not tree:
        return False
    return isinstance(node, exp.Union) or unwrapped(tree) is node


def _aggregates(select: exp.Expr, catalog: Catalog) -> Iterator[str]:
    for call in select.find_all(exp.Func):
        if call.parent_select is not select:
            continue
        if isinstance(call, exp.Sum | exp.Avg):
            yield from _sum(call, catalog)
        elif isinstance(call, exp.Min | exp.Max):
            if not has_one_representation(call.this, catalog):
                yield f"{render(call)} inside the query may pick among equal values"
        elif isinstance(call, exp.AggFunc) and not isinstance(call, exp.Count):
            yield f"{render(call)} inside the query may depend on the order of its rows"


def _sum(call: exp.Expr, catalog: Catalog) -> Iterator[str]:
    types = [catalog.types_of(identifier(column.this)) for column in call.find_all(exp.Column)]
    if any(found & FLOATS for found in types):
        yield "a sum of floats inside the query depends on the order of its rows"
    elif not is_exact_number(call, catalog):  # sqrt() of an integer is a float as well
        yield "a sum inside the query may be one of floats, which depends on the order of rows"


def _keys(select: exp.Expr, catalog: Catalog) -> Iterator[str]:
    keys: list[exp.Expr] = []
    group, distinct = select.args.get("group"), select.args.get("distinct")
    if group is not None:
        if any(value for part, value in group.args.items() if part != "expressions"):
            yield "GROUPING SETS, ROLLUP and CUBE inside the query are not known to be safe"
        keys += group.expressions
    if distinct is not None:
        if distinct.args.get("on"):
            yield "DISTINCT ON inside the query may pick other rows in each fragment"
        keys += select.expressions
    for key in keys:
        meant = _meant(key, select)
        if not has_one_representation(meant, catalog):
            yield f"grouping by {render(meant)} inside the query may pick among equal values"


def _meant(key: exp.Expr, select: exp.Expr) -> exp.Expr:
    """Return the expression of the output that a number or a bare name stands for."""
    if isinstance(key, exp.Literal) and key.is_int and int(key.this) <= len(select.expressions):
        key = select.expressions[int(key.this) - 1]
    if isinstance(key, exp.Column) and not key.table:
        for output in select.expressions:
            if isinstance(output, exp.Alias) and identifier(output.args["alias"]) == identifier(
                key.this
            ):
                key = output
    return key.unalias()


def renamed_in(tree: exp.Expr) -> frozenset[str]:
    """Return the names that `tree` gives, inside, to something else than columns of that name."""
    names = {"key", "value"}  # as functions like json_each call their columns
    for alias in tree.find_all(exp.Alias):
        name, column = identifier(alias.args["alias"]), alias.this
        is_same = isinstance(column, exp.Column) and identifier(column.this) == name
        if not is_same and alias.parent_select is not tree:
            names.add(name)
    for table_alias in tree.find_all(exp.TableAlias):
        names.update(identifier(column) for column in table_alias.args.get("columns") or [])
        if table_alias.this is not None:
            names.add(identifier(table_alias.this))  # of a function: its column's name as well
    return frozenset(names)


def has_one_representation(expression: exp.Expr, catalog: Catalog) -> bool:
    """Tell whether equal values of `expression` surely look alike."""
    mixes = expression.find(*MIXING_NODES) is not None
    for node in expression.walk():
        if isinstance(node, exp.Column):
            if not isinstance(node.this, exp.Identifier) or catalog.is_ambiguous(
                identifier(node.this)
            ):
                return False
            if mixes and catalog.types_of(identifier(node.this)) & {NUMERIC, BPCHAR}:
                return False
            # a difference of times is an interval
            if isinstance(node.parent, exp.Add | exp.Sub) and catalog.types_of(
                identifier(node.this)
            ) & (TEMPORAL | {INTERVAL}):
                return False
        elif isinstance(node, exp.Literal):
            if not (node.is_string or node.is_int):
                return False
        elif isinstance(node, exp.Cast):
            if node.args["to"].sql(dialect="postgres").upper() not in ONE_REPRESENTATION_TARGETS:
                return False
        elif isinstance(node, exp.Anonymous):
            if str(node.this).lower() not in ONE_REPRESENTATION_CALLS:
                return False
        elif not isinstance(node, ONE_REPRESENTATION_NODES):
            return False
    return True

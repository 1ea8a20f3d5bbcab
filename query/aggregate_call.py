"""Reading one call of an aggregate, and writing it over other arguments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.aggregates import CannotSplit
from query.trees import copied

AGGREGATES = (exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg)
TOTALS = frozenset({"count", "sum", "avg"})
EXTREMES = frozenset({"min", "max"})
SPREADS = frozenset({
    "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop",
})  # fmt: skip
LOGIC = frozenset({"bool_and", "bool_or", "every"})
BITS = frozenset({"bit_and", "bit_or", "bit_xor"})
COLLECTORS = frozenset({
    "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg",
})  # fmt: skip
ORDERED_SETS = frozenset({
    "percentile_cont", "percentile_disc", "mode", "rank", "dense_rank", "percent_rank", "cume_dist",
})  # fmt: skip
# whose result is the same in whichever order they meet their values, floats apart
ORDER_FREE = TOTALS | EXTREMES | SPREADS | LOGIC | BITS
# to which it does not matter how often they meet a value
REPEATABLE = EXTREMES | LOGIC | {"bit_and", "bit_or"}
NAMES = ORDER_FREE | COLLECTORS | ORDERED_SETS


@dataclass(frozen=True)
class AggregateCall:
    """A call: `name(DISTINCT arguments ORDER BY order) WITHIN GROUP (within) FILTER (filter_)`.

    An ORDER BY or DISTINCT that cannot change the result is left out.
    """

    name: str
    arguments: tuple[exp.Expr, ...]
    is_distinct: bool
    order: tuple[exp.Ordered, ...]
    within: tuple[exp.Ordered, ...]
    filter_: exp.Expr | None

    def over(
        self,
        arguments: Sequence[exp.Expr],
        *,
        order: Sequence[exp.Expr] = (),
        within: Sequence[exp.Expr] = (),
        filter_: exp.Expr | None = None,
    ) -> exp.Expr:
        """Return this call with other expressions for its arguments, sort keys and filter."""
        given = [copied(argument) for argument in arguments]
        if self.is_distinct:
            given = [exp.Distinct(expressions=given)]
        if order:
            given[-1] = exp.Order(this=given[-1], expressions=_sorted(self.order, order))
        call: exp.Expr = exp.Anonymous(this=self.name, expressions=given)
        if within:
            keys = exp.Order(expressions=_sorted(self.within, within))
            call = exp.WithinGroup(this=call, expression=keys)
        return filtered(call, filter_)

    def of(self, name: str, argument: exp.Expr) -> exp.Expr:
        """Return another aggregate of one argument, over the rows that this one is over."""
        call = exp.Anonymous(this=name, expressions=[copied(argument)])
        return filtered(call, self.filter_)


def filtered(call: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    """Return `call` with a FILTER, if there is one."""
    if condition is None:
        return call
    return exp.Filter(this=call, expression=exp.Where(this=copied(condition)))


def _sorted(keys: Sequence[exp.Ordered], nodes: Sequence[exp.Expr]) -> list[exp.Expr]:
    ordered: list[exp.Expr] = []
    for key, node in zip(keys, nodes, strict=True):
        copy = copied(key)
        copy.set("this", copied(node))
        ordered.append(copy)
    return ordered


def is_aggregate(node: exp.Expr) -> bool:
    """Tell whether `node` is the call of an aggregate that we know, without its FILTER."""
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower() in NAMES
    return isinstance(node, AGGREGATES)


def own_aggregates(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the aggregates in `node` that belong to its own SELECT and are no window functions."""
    top = node.parent_select
    for found in node.find_all(exp.Anonymous, *AGGREGATES):
        if found.parent_select is not top or not is_aggregate(found):
            continue
        outer = found.parent
        while isinstance(outer, exp.Filter | exp.WithinGroup):
            outer = outer.parent
        if not isinstance(outer, exp.Window):
            yield found


def read_call(node: exp.Expr) -> AggregateCall:
    """Read the call `node`, which may have a FILTER and a WITHIN GROUP around it."""
    filter_ = None
    within: list[exp.Ordered] = []
    if isinstance(node, exp.Filter):
        filter_ = node.expression.this
        node = node.this
    if isinstance(node, exp.WithinGroup):
        within = _keys(node.expression)
        node = node.this
    if not is_aggregate(node):
        raise CannotSplit(f"{node.key} is called in a form that is not split")
    if isinstance(node, exp.Anonymous):
        name, arguments = str(node.this).lower(), list(node.expressions)
    else:
        name, arguments = node.key, [node.this, *node.expressions]
    order: list[exp.Ordered] = []
    if arguments and isinstance(arguments[-1], exp.Order):
        order = _keys(arguments[-1])
        arguments[-1] = arguments[-1].this
    is_distinct = bool(arguments) and isinstance(arguments[0], exp.Distinct)
    if is_distinct:
        arguments = list(arguments[0].expressions)
    if any(argument.find(exp.Select) for argument in (node, *([filter_] if filter_ else []))):
        raise CannotSplit(f"a subquery inside {name} is not split")
    return AggregateCall(
        name,
        tuple(arguments),
        is_distinct and name not in REPEATABLE,
        () if name in ORDER_FREE else tuple(order),
        tuple(within),
        filter_,
    )


def _keys(order: exp.Expr) -> list[exp.Ordered]:
    keys = [key for key in order.expressions if isinstance(key, exp.Ordered)]
    if len(keys) != len(order.expressions) or any(key.args.get("with_fill") for key in keys):
        raise CannotSplit("ORDER BY inside an aggregate has a form that is not split")
    return keys

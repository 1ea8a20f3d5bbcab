"""The output columns of a SELECT, and what ORDER BY and GROUP BY mean by them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.aggregates import CannotSplit
from query.statement import identifier
from query.trees import copied


@dataclass(frozen=True)
class SortKey:
    """One key of ORDER BY: an output column (from 0), or an expression over input columns."""

    output: int | None
    expression: exp.Expr | None
    ordered: exp.Ordered

    def over(self, node: exp.Expr) -> exp.Ordered:
        """Return the key with its direction and null order, sorting by `node`."""
        copy = copied(self.ordered)
        copy.set("this", node)
        return copy


@dataclass(frozen=True)
class Window:
    """LIMIT and OFFSET as numbers of rows; `count` None: no limit.

    `with_ties` tells that rows equal to the last one in the sort keys are wanted as well.
    """

    count: int | None
    offset: int
    with_ties: bool = False

    @property
    def is_open(self) -> bool:
        """Tell whether all rows are wanted."""
        return self.count is None and self.offset == 0

    @property
    def cuts_ties(self) -> bool:
        """Tell whether one of two rows that tie may be wanted, and the other not."""
        return self.offset > 0 or (self.count is not None and not self.with_ties)

    @property
    def reach(self) -> int | None:
        """How many rows of the whole order are needed; None: all."""
        return None if self.count is None else self.count + self.offset


def sort_keys(tree: exp.Select, names: Sequence[str]) -> list[SortKey]:
    """Resolve ORDER BY as PostgreSQL does: a number or a bare output name means that output."""
    order = tree.args.get("order")
    if order is None:
        return []
    keys = []
    for ordered in order.expressions:
        if not isinstance(ordered, exp.Ordered) or ordered.args.get("with_fill"):
            raise CannotSplit("ORDER BY has a form that is not split")
        output = output_meant(ordered.this, names)
        keys.append(SortKey(output, ordered.this if output is None else None, ordered))
    return keys


def output_meant(node: exp.Expr, names: Sequence[str]) -> int | None:
    """Return the output column that `node` in ORDER BY stands for, None if it is an expression."""
    if isinstance(node, exp.Literal) and node.is_int:
        return int(node.this) - 1
    if isinstance(node, exp.Column) and not node.table and isinstance(node.this, exp.Identifier):
        name = identifier(node.this)
        if name in names:
            return list(names).index(name)
    return None


def window_of(tree: exp.Select) -> Window:
    """Read LIMIT, FETCH and OFFSET.  Raises CannotSplit unless they are plain numbers."""
    limit, offset = tree.args.get("limit"), tree.args.get("offset")
    count: int | None = None
    with_ties = False
    if isinstance(limit, exp.Fetch):
        options = limit.args.get("limit_options")
        if options is not None and options.args.get("percent"):
            raise CannotSplit("FETCH … PERCENT is not split")
        with_ties = options is not None and bool(options.args.get("with_ties"))
        count = _number(limit.args.get("count") or exp.Literal.number(1))
    elif limit is not None and not isinstance(limit.expression, exp.Null):
        count = _number(limit.expression)
    skipped = _number(offset.expression) if offset is not None else 0
    return Window(count, skipped, with_ties)


def _number(node: exp.Expr) -> int:
    if isinstance(node, exp.Literal) and node.is_int:
        return int(node.this)
    raise CannotSplit("LIMIT and OFFSET are split only when they are plain numbers")

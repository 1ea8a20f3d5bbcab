"""GROUP BY: the keys that a fragment groups by, and the grouping sets that the merge applies.

    GROUP BY ROLLUP (a, lower(b))

is GROUP BY a, lower(b) in each fragment, the finest of its sets, and GROUP BY ROLLUP (p.c0, p.c1)
over the partials.
"""

from collections.abc import Callable, Hashable, Sequence

from sqlglot import exp

from query.aggregates import CannotSplit
from query.canonical import meaning
from query.outputs import output_meant
from query.scope import Scope
from query.statement import identifier
from query.trees import copied

SETS = (exp.Rollup, exp.Cube, exp.GroupingSets, exp.Tuple)


class Grouping:
    """A query's grouping; `keys` are different expressions, `has_sets` tells of grouping sets."""

    def __init__(self, items: Sequence[exp.Expr]) -> None:
        self.keys: list[exp.Expr] = []
        self._meanings: list[Hashable] = []
        self.has_sets = any(_is_set(item) for item in items)
        self._items = regrouped(items, self._numbered)
        if self.has_sets and not all(key.find(exp.Column) for key in self.keys):
            raise CannotSplit("a constant in grouping sets is not split")

    def place_of(self, meant: Hashable) -> int | None:
        """Return the place of the key with this meaning, None if it is no key."""
        return self._meanings.index(meant) if meant in self._meanings else None

    def over(self, columns: Sequence[exp.Expr]) -> exp.Group | None:
        """Return the GROUP BY over `columns` in place of the keys; None for none."""
        if not self._items:
            return None

        def put(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Placeholder):
                return copied(columns[int(node.this)])
            return node

        return exp.Group(
            expressions=[copied(item).transform(put, copy=False) for item in self._items]
        )

    def _numbered(self, key: exp.Expr) -> exp.Expr:
        """Return the placeholder that stands for `key`."""
        if key.find(exp.Select):
            raise CannotSplit("a subquery in GROUP BY is not split")
        meant = meaning(key)
        if meant not in self._meanings:
            self._meanings.append(meant)
            self.keys.append(key)
        return exp.Placeholder(this=str(self._meanings.index(meant)))


def _is_set(item: exp.Expr) -> bool:
    return isinstance(item, SETS)


def regrouped(items: Sequence[exp.Expr], replace: Callable[[exp.Expr], exp.Expr]) -> list[exp.Expr]:
    """Return the items of GROUP BY with each key replaced, inside of grouping sets too."""
    return [
        type(item)(expressions=regrouped(item.expressions, replace))
        if _is_set(item)
        else replace(item.this if isinstance(item, exp.Paren) else item)
        for item in items
    ]


def group_items(tree: exp.Select) -> list[exp.Expr]:
    """Return the items of GROUP BY."""
    group = tree.args.get("group")
    if group is None:
        return []
    if any(value is not None for part, value in group.args.items() if part != "expressions"):
        raise CannotSplit("GROUP BY ALL and GROUP BY DISTINCT are not split")
    items: list[exp.Expr] = group.expressions
    return items


def key_meant(
    node: exp.Expr, outputs: Sequence[exp.Expr], names: Sequence[str], scope: Scope
) -> exp.Expr:
    """Resolve a key as PostgreSQL does.

    A number means an output; a bare name means an input column if there is one, else an output.
    """
    output = output_meant(node, names)
    if isinstance(node, exp.Column) and output is not None:
        known = scope.has_column(identifier(node.this))
        if known is None and outputs[output] != node:
            raise CannotSplit(f"GROUP BY {node.name} may mean a column or an output")
        if known is not False:
            output = None
    if output is None:
        return node
    if not 0 <= output < len(outputs):
        raise CannotSplit("GROUP BY names an output that is not there")
    return outputs[output]

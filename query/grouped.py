"""Splitting a query with aggregates, GROUP BY or DISTINCT.

    SELECT grp, avg(n) AS mean FROM t GROUP BY grp HAVING count(*) > 5 ORDER BY mean

becomes, for each partition,

    SELECT grp AS c0, sum(n) AS c1, count(n) AS c2, count(*) AS c3 FROM t WHERE … GROUP BY 1

and over all partials p

    SELECT p.c0 AS grp, (sum(p.c1) / nullif(sum(p.c2), 0)) AS mean FROM p
    GROUP BY p.c0 HAVING CAST(sum(p.c3) AS bigint) > 5 ORDER BY 2
"""

from collections.abc import Sequence

from sqlglot import exp

from query.aggregates import Aggregate, CannotSplit, Merged, scale_check
from query.canonical import canonical
from query.merge import Merge, column, merge_query, tied
from query.outputs import SortKey, group_keys, sort_keys, window_of
from query.safety import AGGREGATES
from query.scope import Scope
from query.types import TypeFact

PLACEHOLDER = "aggregate"


class GroupedSplit:
    """A query whose rows are groups.

    Before the types of its partials are known it offers `fragment`, whose result PostgreSQL is
    asked to describe; `finish` then decides.
    """

    def __init__(self, tree: exp.Select, names: Sequence[str], scope: Scope) -> None:
        self._tree = tree
        self._names = names
        self._scope = scope
        self._window = window_of(tree)
        outputs = [item.unalias() for item in tree.expressions]
        if any(isinstance(output, exp.Star) or output.is_star for output in outputs):
            raise CannotSplit("* beside aggregates or DISTINCT is not split")
        having = tree.args.get("having")
        order = sort_keys(tree, names)
        distinct = tree.args.get("distinct")
        parts = [*outputs, *([having.this] if having else [])]
        parts += [key.expression for key in order if key.expression is not None]
        aggregated = any(_own_aggregates(part) for part in parts) or bool(tree.args.get("group"))
        if distinct is not None and (aggregated or distinct.args.get("on")):
            raise CannotSplit("DISTINCT ON, or DISTINCT beside aggregates, is not split")
        if any(part.find(exp.Select) for part in parts):
            raise CannotSplit("a subquery outside FROM and WHERE is not split beside aggregates")
        keys = outputs if distinct is not None else group_keys(tree, outputs, names, scope)
        self.keys = [self._qualified(key) for key in keys]
        self._key_texts = [canonical(key) for key in self.keys]
        self._aggregates: list[Aggregate] = []
        self._aggregate_texts: list[str] = []
        self._outputs = [self._rewrite(self._qualified(output)) for output in outputs]
        self._having = self._rewrite(self._qualified(having.this)) if having else None
        self._order = [(key, self._sort_expression(key)) for key in order]
        self._groups = bool(self.keys)
        if self._groups and not self._window.is_open and not order:
            raise CannotSplit("LIMIT without ORDER BY may pick any rows")

    def fragment(self) -> exp.Select:
        """Return the query for one partition, before checks are added; no restriction yet."""
        return self._fragment([])

    def _fragment(self, checks: Sequence[exp.Expr]) -> exp.Select:
        copy = self._tree.copy()
        for part in ("having", "order", "limit", "offset", "distinct", "group"):
            copy.set(part, None)
        parts = [*self.keys]
        for aggregate in self._aggregates:
            parts += aggregate.partials
        parts += checks
        items = [exp.alias_(part.copy(), f"c{number}") for number, part in enumerate(parts)]
        copy.set("expressions", items)
        if self._groups:
            positions = [exp.Literal.number(number + 1) for number in range(len(self.keys))]
            copy.set("group", exp.Group(expressions=positions))
        return copy

    def finish(
        self, types: Sequence[TypeFact], parameter_types: Sequence[str], check_type: TypeFact
    ) -> tuple[exp.Select, Merge]:
        """Return fragment and merge for partials whose columns before checks are of `types`.

        `check_type` is the type of check columns (integer).  Raises CannotSplit.
        """
        checks: list[exp.Expr] = []
        ambiguous: list[exp.Expr] = []

        def next_checks() -> list[exp.Expr]:
            first = len(types) + len(checks)
            return [column(first), column(first + 1)]

        for key, fact in zip(self.keys, types, strict=False):
            if fact.has_one_representation:
                continue
            if not fact.needs_scale_check:
                raise CannotSplit(f"groups by {fact.name}, whose equal values may look different")
            wanted, differ = scale_check(key, next_checks())
            checks += wanted
            ambiguous.append(differ)
        values: list[exp.Expr] = []
        place = len(self.keys)
        for aggregate in self._aggregates:
            width = len(aggregate.partials)
            columns = [column(place + number) for number in range(width)]
            merged = aggregate.merge(columns, types[place : place + width], next_checks())
            checks += merged.checks
            values.append(merged.value)
            ambiguous += _present(merged)
            place += width
        if not self._window.is_open and self._groups and not self._order_is_total():
            keys = [self._filled(expression, values) for _, expression in self._order]
            ambiguous.append(tied(keys))
        order = [
            key.over(
                exp.Literal.number(key.output + 1)
                if key.output is not None
                else self._filled(expression, values)
            )
            for key, expression in self._order
        ]
        merge = merge_query(
            outputs=[self._filled(output, values) for output in self._outputs],
            names=self._names,
            types=[*types, *[check_type for _ in checks]],
            parameter_types=parameter_types,
            group_by=[column(number) for number in range(len(self.keys))],
            having=None if self._having is None else self._filled(self._having, values),
            order=order,
            window=self._window,
            ambiguous=ambiguous,
        )
        return self._fragment(checks), merge

    def _order_is_total(self) -> bool:
        sorted_by = {canonical(expression) for _, expression in self._order}
        return all(canonical(column(number)) in sorted_by for number in range(len(self.keys)))

    def _sort_expression(self, key: SortKey) -> exp.Expr:
        if key.output is not None:
            return self._outputs[key.output]
        assert key.expression is not None  # noqa: S101 - SortKey has one of the two
        return self._rewrite(self._qualified(key.expression))

    def _qualified(self, node: exp.Expr) -> exp.Expr:
        copy = node.copy()
        if isinstance(copy, exp.Column):
            return self._scope.qualify(copy)
        for found in list(copy.find_all(exp.Column)):
            if found.parent_select is None:
                found.replace(self._scope.qualify(found))
        return copy

    def _rewrite(self, node: exp.Expr) -> exp.Expr:
        """Put the partials' columns for keys, and placeholders for aggregates."""
        text = canonical(node)
        if text in self._key_texts:
            return column(self._key_texts.index(text))
        if isinstance(node, (exp.Filter, *AGGREGATES)):
            if text not in self._aggregate_texts:
                self._aggregate_texts.append(text)
                self._aggregates.append(Aggregate(node))
            number = self._aggregate_texts.index(text)
            return exp.column(f"{PLACEHOLDER}{number}", table=PLACEHOLDER)
        if isinstance(node, exp.Column):
            raise CannotSplit(f"{text} is neither grouped by nor aggregated")
        copy = node.copy()
        for child in list(copy.iter_expressions()):
            if not isinstance(child, exp.Identifier | exp.DataType):
                child.replace(self._rewrite(child))
        return copy

    @staticmethod
    def _filled(node: exp.Expr, values: Sequence[exp.Expr]) -> exp.Expr:
        def fill(found: exp.Expr) -> exp.Expr:
            if isinstance(found, exp.Column) and found.table == PLACEHOLDER:
                return values[int(found.name.removeprefix(PLACEHOLDER))].copy()
            return found

        return node.copy().transform(fill)


def _present(merged: Merged) -> list[exp.Expr]:
    return [] if merged.ambiguous is None else [merged.ambiguous]


def _own_aggregates(node: exp.Expr) -> bool:
    top = node.parent_select
    return any(found.parent_select is top for found in node.find_all(*AGGREGATES))


def is_grouped(tree: exp.Select) -> bool:
    """Tell whether the rows of the query are groups."""
    if tree.args.get("group") or tree.args.get("distinct") or tree.args.get("having"):
        return True
    parts = [*tree.expressions]
    if tree.args.get("order"):
        parts += tree.args["order"].expressions
    return any(_own_aggregates(part) for part in parts)

"""Splitting a query with aggregates, GROUP BY or DISTINCT.

    SELECT grp, avg(n) AS mean FROM t GROUP BY grp HAVING count(*) > 5 ORDER BY mean

becomes, for each partition,

    SELECT grp AS c0, sum(n) AS c1, count(n) AS c2, count(*) AS c3 FROM t WHERE … GROUP BY 1

and over all partials p

    SELECT p.c0 AS grp, (sum(p.c1) / nullif(sum(p.c2), 0)) AS mean FROM p
    GROUP BY p.c0 HAVING CAST(sum(p.c3) AS bigint) > 5 ORDER BY 2
"""

from collections.abc import Hashable, Sequence

from sqlglot import exp

from query.aggregate_call import AggregateCall, is_aggregate, own_aggregates, read_call
from query.aggregates import CannotSplit, Checks
from query.canonical import canonical, meaning
from query.doubts import PLACEHOLDER, Doubts, anywhere, rows_look_alike
from query.expressions import any_of
from query.grain import Grain
from query.grouping import Grouping, group_items, key_meant, regrouped
from query.merge import Merge, column, first_rows, merge_query, tied
from query.outputs import SortKey, sort_keys, window_of
from query.scope import Scope
from query.subqueries import check_independent
from query.trees import copied, rebuilt
from query.types import TypeFact
from query.windows import own_windows, read_window

# aggregates that end with a value, whatever their groups hold
HARMLESS = frozenset({"count", "sum", "min", "max", "avg"})


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
        items = group_items(tree)
        distinct = tree.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            raise CannotSplit("DISTINCT ON is not split")
        if distinct is not None and any(True for _ in own_windows(tree)):
            raise CannotSplit("DISTINCT beside window functions is not split")
        sorting = [key.expression for key in order if key.expression is not None]
        aggregated = bool(items or having) or any(map(has_aggregates, [*outputs, *sorting]))
        self._is_distinct = distinct is not None and aggregated
        if distinct is not None and not aggregated:
            self._grouping = Grouping([self._qualified(output) for output in outputs])
        else:
            meant = regrouped(items, lambda node: key_meant(node, outputs, names, scope))
            self._grouping = Grouping([self._qualified(item) for item in meant])
        self._calls: list[AggregateCall] = []
        self._windows: list[exp.Window] = []
        self._calls_meant: list[Hashable] = []
        self._outputs = [self._rewrite(self._qualified(output)) for output in outputs]
        self._having = self._rewrite(self._qualified(having.this)) if having else None
        self._order = [(key, self._sort_expression(key)) for key in order]
        self._groups = bool(self._grouping.keys)
        if self._groups and not self._window.is_open and not order:
            raise CannotSplit("LIMIT without ORDER BY may pick any rows")
        self._grain = Grain(self._grouping.keys, self._calls)
        self._fragment = self._grain.fragment(tree, Checks(self._grain.width))

    def fragment(self) -> exp.Select:
        """Return the query for one partition, before checks are added; no restriction yet."""
        return self._fragment

    def finish(
        self,
        types: Sequence[TypeFact],
        parameter_types: Sequence[str],
        _check_type: TypeFact,
        *,
        is_decided: bool = False,
    ) -> tuple[exp.Select, Merge]:
        """Return fragment and merge for partials whose columns before checks are of `types`.

        With `is_decided` the partials are of first_groups(): what HAVING asks other rows for is not
        asked again.  Raises CannotSplit.
        """
        checks = Checks(self._grain.width)
        doubts = Doubts(
            self._grain.keys_in_doubt(types, checks),
            self._grain.merged(types, checks),
            has_sets=self._grouping.has_sets,
        )
        sorting = [expression for _, expression in self._order]
        deciding = [*sorting, *([self._having] if self._having is not None else [])]
        deciding += self._windows  # what is in doubt of one group shows in others there
        ambiguous = doubts.conditions()
        if any(doubts.concern(node) for node in deciding):
            # a group in doubt may not be among those shown, or keep another one from it
            ambiguous = [anywhere(condition) for condition in ambiguous]
        if self._window.cuts_ties and self._groups and not self._order_is_total():
            if any(expression.find(exp.Window) for expression in sorting):
                raise CannotSplit("groups that tie in a window function decide which are shown")
            ambiguous.append(tied([doubts.filled(expression) for expression in sorting]))
        outputs = [doubts.filled(output) for output in self._outputs]
        ambiguous += [doubts.filled(tie) for tie in self._ties_in_windows()]
        if self._is_distinct:
            ambiguous.append(exp.Not(this=rows_look_alike(outputs)))
        order = [
            key.over(
                exp.Literal.number(key.output + 1)
                if key.output is not None
                else doubts.filled(expression)
            )
            for key, expression in self._order
        ]
        having = None if self._having is None else doubts.filled(self._having)
        if self._having is not None and having is not None and doubts.concern(self._having):
            # a group in doubt must not vanish before the doubt is seen
            having = any_of(having, *doubts.conditions())
        if is_decided and having is not None and having.find(exp.Query):
            having = None
        merge = merge_query(
            outputs=outputs,
            names=self._names,
            types=[*types, *[fact for _, fact in checks.columns]],
            parameter_types=parameter_types,
            group_by=self._grouping.over([column(n) for n in range(len(self._grouping.keys))]),
            having=having,
            order=order,
            window=self._window,
            ambiguous=ambiguous,
            distinct=self._is_distinct,
        )
        if not checks.columns:
            return self._fragment, merge
        return self._grain.fragment(self._tree, checks), merge

    def first_groups(self, finished: exp.Select) -> exp.Select | None:
        """Return the finished fragment with those groups alone that the query may show.

        For a fragment over all rows, whose groups are whole.  None where that is not sure, or
        leaves nothing out: all that PostgreSQL computes of the others must not raise an error.
        """
        reach = self._window.reach
        having = self._tree.args.get("having")
        if (having is None and (reach is None or not self._order)) or not self._groups:
            return None
        if not self._grain.is_one_row_a_group:
            return None
        if self._is_distinct or self._windows or self._grouping.has_sets:
            return None
        calls = [call.name for call in self._calls]
        shown = [*self._outputs, *(expression for _, expression in self._order)]
        if not set(calls) <= HARMLESS or not all(isinstance(one, exp.Column) for one in shown):
            return None
        fragment = copied(finished)
        if having is not None:
            fragment.set("having", exp.Having(this=self._qualified(having.this)))
        if reach is None or not self._order:
            return fragment
        outputs = [item.unalias() for item in self._tree.expressions]
        keys = [
            key.over(
                self._qualified(
                    outputs[key.output] if key.output is not None else _known(key.expression)
                )
            )
            for key, _ in self._order
        ]
        fragment.set("order", exp.Order(expressions=keys))
        fragment.set("limit", first_rows(reach, with_ties=True))
        return fragment

    def _order_is_total(self) -> bool:
        if self._grouping.has_sets:  # a null may be a key's value, or tell that it is left out
            return False
        sorted_by = {meaning(expression) for _, expression in self._order}
        keys = range(len(self._grouping.keys))
        return all(meaning(column(number)) in sorted_by for number in keys)

    def _ties_in_windows(self) -> list[exp.Expr]:
        """Return conditions under which a window function shows the order of groups that tie."""
        ties = []
        for node in self._windows:
            window = read_window(node, self._tree)
            if not window.shows_ties:
                continue
            sorted_by = {meaning(part) for part in window.seen_by}
            keys = range(len(self._grouping.keys))
            if not self._grouping.has_sets and all(
                meaning(column(number)) in sorted_by for number in keys
            ):
                continue
            if not self._window.is_open:
                raise CannotSplit(f"groups that tie decide {window.name}, and not all are shown")
            ties.append(window.tied())
        return ties

    def _sort_expression(self, key: SortKey) -> exp.Expr:
        if key.output is not None:
            if not 0 <= key.output < len(self._outputs):
                raise CannotSplit("ORDER BY names an output that is not there")
            return self._outputs[key.output]
        assert key.expression is not None  # noqa: S101 - SortKey has one of the two
        return self._rewrite(self._qualified(key.expression))

    def _qualified(self, node: exp.Expr) -> exp.Expr:
        copy = copied(node)
        if isinstance(copy, exp.Column):
            return self._scope.qualify(copy)
        for found in list(copy.find_all(exp.Column)):
            if found.parent_select is None:
                found.replace(self._scope.qualify(found))
        return copy

    def _rewrite(self, node: exp.Expr) -> exp.Expr:
        """Put the partials' columns for keys, and placeholders for aggregates."""
        meant = meaning(node)
        place = self._grouping.place_of(meant)
        if place is not None:
            return column(place)
        if isinstance(node, exp.Filter | exp.WithinGroup) or is_aggregate(node):
            if meant not in self._calls_meant:
                self._calls_meant.append(meant)
                self._calls.append(read_call(node))
            number = self._calls_meant.index(meant)
            return exp.column(f"{PLACEHOLDER}{number}", table=PLACEHOLDER)
        if isinstance(node, exp.Window):
            return self._rewrite_window(node)
        if isinstance(node, exp.Column):
            raise CannotSplit(f"{canonical(node)} is neither grouped by nor aggregated")
        if isinstance(node, exp.Query):
            check_independent(node, self._tree)
            return copied(node)
        if isinstance(node, exp.Identifier | exp.DataType):
            return copied(node)
        return rebuilt(node, self._rewrite)

    def _rewrite_window(self, node: exp.Window) -> exp.Expr:
        """Put them into the parts of a window function over groups, which stays as it is."""
        copy = copied(node)
        if isinstance(copy.this, exp.Filter):
            condition = copy.this.expression
            condition.set("this", self._rewrite(condition.this))
        function = copy.this.this if isinstance(copy.this, exp.Filter) else copy.this
        function.replace(rebuilt(function, self._rewrite))
        for part in copy.args.get("partition_by") or []:
            part.replace(self._rewrite(part))
        for key in copy.args["order"].expressions if copy.args.get("order") else []:
            key.set("this", self._rewrite(key.this))
        self._windows.append(copy)
        return copy


def _known(expression: exp.Expr | None) -> exp.Expr:
    assert expression is not None  # noqa: S101 - a SortKey has this, or an output
    return expression


def has_aggregates(node: exp.Expr) -> bool:
    """Tell whether aggregates of its own SELECT are in `node`."""
    return next(own_aggregates(node), None) is not None


def is_grouped(tree: exp.Select) -> bool:
    """Tell whether the rows of the query are groups."""
    distinct = tree.args.get("distinct")
    if (
        tree.args.get("group")
        or tree.args.get("having")
        or (distinct and not distinct.args.get("on"))
    ):
        return True
    parts = [*tree.expressions]
    if tree.args.get("order"):
        parts += tree.args["order"].expressions
    return any(map(has_aggregates, parts))

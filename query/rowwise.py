"""Splitting a query whose rows are rows of the driving table, filtered and perhaps joined.

    SELECT id, n FROM t WHERE n > 5 ORDER BY n DESC, id LIMIT 10

becomes, for each partition, the same query with its own LIMIT, and over all partials one sort.
Without ORDER BY there is nothing to merge: partials follow each other as their blocks do.
"""

from collections.abc import Sequence

from sqlglot import exp

from query.aggregates import CannotSplit
from query.canonical import meaning
from query.doubts import anywhere
from query.merge import Merge, column, first_rows, merge_query, tied
from query.outputs import sort_keys, window_of
from query.scope import Scope
from query.statement import identifier
from query.trees import copied
from query.types import TypeFact


class RowSplit:
    """A query whose rows are filtered rows; `extra` sort keys travel behind the outputs.

    `doubts` are conditions over rows: where one is true for any row, the answer is ambiguous.
    They travel last.
    """

    def __init__(
        self,
        tree: exp.Select,
        names: Sequence[str],
        scope: Scope,
        doubts: Sequence[exp.Expr] = (),
    ) -> None:
        self._tree = tree
        self._names = names
        self._scope = scope
        self._window = window_of(tree)
        self._order = sort_keys(tree, names)
        if not self._window.is_open and not self._order:
            raise CannotSplit("LIMIT without ORDER BY may pick any rows")
        self._distinct_on = self._distinct_keys()
        self._extra = [key.expression for key in self._order if key.expression is not None]
        self._doubts = doubts
        if doubts and self._distinct_on:
            raise CannotSplit("DISTINCT ON may leave out rows that tie in a window")
        self._fragment = self._unsorted()

    def _distinct_keys(self) -> int:
        """Return how many keys ORDER BY shares with DISTINCT ON, which are its first ones."""
        distinct = self._tree.args.get("distinct")
        if distinct is None:
            return 0
        keys = {meaning(key.unnest()) for key in distinct.args["on"].expressions}
        if keys != {meaning(key.ordered.this.unnest()) for key in self._order[: len(keys)]}:
            raise CannotSplit("DISTINCT ON without an ORDER BY of the same keys may pick any rows")
        return len(keys)

    def fragment(self) -> exp.Select:
        """Return the query for one partition, unsorted; no restriction yet."""
        return self._fragment

    def _unsorted(self) -> exp.Select:
        copy = copied(self._tree)
        for part in ("order", "limit", "offset"):
            copy.set(part, None)
        items = [*copy.expressions]
        items += [
            exp.alias_(copied(extra), f"o{n}", copy=False) for n, extra in enumerate(self._extra)
        ]
        items += [
            exp.alias_(copied(doubt), f"t{n}", copy=False) for n, doubt in enumerate(self._doubts)
        ]
        copy.set("expressions", items)
        return copy

    def finish(
        self, types: Sequence[TypeFact], parameter_types: Sequence[str], _check_type: TypeFact
    ) -> tuple[exp.Select, Merge | None]:
        """Return fragment and merge for partials with columns of `types`.  Raises CannotSplit."""
        if not self._order and not self._doubts:
            return self._fragment, None
        fragment = copied(self._fragment)
        width = len(self._names)
        places, extra = [], width
        for key in self._order:
            places.append(key.output if key.output is not None else extra)
            extra += key.output is None
        if max(places, default=0) >= len(types):
            raise CannotSplit("ORDER BY names an output that is not there")
        ambiguous = [anywhere(column(extra + n)) for n in range(len(self._doubts))]
        reach = self._window.reach
        total = self._is_total(places, types)
        if self._distinct_on and not total:
            raise CannotSplit("DISTINCT ON may pick any of the rows that tie in ORDER BY")
        if self._window.cuts_ties and not total:
            ambiguous.append(tied([column(place) for place in dict.fromkeys(places)]))
        if self._distinct_on:
            # its keys must be those of ORDER BY, and PostgreSQL looks at their text
            fragment.set("order", copied(self._tree.args["order"]))
        elif reach is not None and not self._doubts:
            positions = [
                key.over(exp.Literal.number(place + 1))
                for key, place in zip(self._order, places, strict=True)
            ]
            # rows equal to the last one must come along, so that the merge can see the tie
            ties = bool(ambiguous) or self._window.with_ties
            fragment.set("order", exp.Order(expressions=positions))
            fragment.set("limit", first_rows(reach, with_ties=ties))
        merge = merge_query(
            outputs=[column(number) for number in range(width)],
            names=self._names,
            types=types,
            parameter_types=parameter_types,
            group_by=None,
            having=None,
            order=[key.over(column(place)) for key, place in zip(self._order, places, strict=True)],
            window=self._window,
            distinct_on=[column(place) for place in places[: self._distinct_on]],
            ambiguous=ambiguous,
        )
        return fragment, merge

    def _is_total(self, places: Sequence[int], types: Sequence[TypeFact]) -> bool:
        """Tell whether rows that tie in the sort keys must be alike in all they show."""
        if all(types[place].has_one_representation for place in places) and (
            set(range(len(self._names))) <= set(places)
        ):
            return True
        if len(self._scope.sources) != 1 or self._scope.sources[0].table is None:
            return False
        unique = self._scope.sources[0].table.primary_key
        named = {
            identifier(node.this) for node in self._sorted_nodes() if isinstance(node, exp.Column)
        }
        return bool(unique) and unique <= named

    def _sorted_nodes(self) -> list[exp.Expr]:
        outputs = [item.unalias() for item in self._tree.expressions]
        has_star = any(output.is_star for output in outputs)
        nodes = []
        for key in self._order:
            if key.expression is not None:
                nodes.append(key.expression)
            elif not has_star and key.output is not None and key.output < len(outputs):
                nodes.append(outputs[key.output])
        return nodes

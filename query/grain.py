"""What one row of a fragment stands for: a group, a group's different value, or a row.

The coarsest that the query's aggregates allow: partial aggregates need only groups; DISTINCT
inside an aggregate needs each value once, and the other aggregates' partials then are those of
smaller groups; an aggregate with an order of its own needs the rows.
"""

from collections.abc import Hashable, Sequence

from sqlglot import exp

from query.aggregate_call import (
    BITS,
    COLLECTORS,
    EXTREMES,
    LOGIC,
    ORDERED_SETS,
    SPREADS,
    AggregateCall,
)
from query.aggregates import Aggregate, CannotSplit, Checks, Merged, PartialColumn
from query.canonical import meaning
from query.families.carried import Carried
from query.families.extremes import Extreme
from query.families.logic import Logic
from query.families.spread import Spread
from query.families.totals import total
from query.looks import Looks, rows_look_different
from query.merge import column
from query.trees import copied
from query.types import TypeFact


class Grain:
    """The columns of a query's fragments: group keys, what is carried, partials, checks."""

    def __init__(self, keys: Sequence[exp.Expr], calls: Sequence[AggregateCall]) -> None:
        self._by_rows = any(_needs_rows(call) for call in calls)
        self._aggregates = [_aggregate(call, by_rows=self._by_rows) for call in calls]
        self._columns: list[exp.Expr] = []
        self._meanings: list[Hashable] = []
        self._keys = [self._place(key) for key in keys]
        carried = [[self._place(part) for part in one.carried] for one in self._aggregates]
        self._grouped_by = 0 if self._by_rows else len(self._columns)
        partials = [[self._place(part) for part in one.partials] for one in self._aggregates]
        self._used = [[*one, *other] for one, other in zip(carried, partials, strict=True)]
        if not self._columns:
            raise CannotSplit("nothing in it is grouped by or aggregated")

    @property
    def is_one_row_a_group(self) -> bool:
        """Tell whether a fragment has one row for each of its groups, as the query has."""
        return self._grouped_by == len(self._keys) > 0

    @property
    def width(self) -> int:
        """The number of columns before checks."""
        return len(self._columns)

    def fragment(self, tree: exp.Select, checks: Checks) -> exp.Select:
        """Return the query for one partition of `tree`'s rows, not yet restricted to it."""
        copy = copied(tree)
        for part in ("having", "order", "limit", "offset", "distinct", "group"):
            copy.set(part, None)
        parts = [*self._columns, *[expression for expression, _ in checks.columns]]
        items = [
            exp.alias_(copied(part), f"c{number}", copy=False) for number, part in enumerate(parts)
        ]
        copy.set("expressions", items)
        if self._grouped_by:
            positions = [exp.Literal.number(number + 1) for number in range(self._grouped_by)]
            copy.set("group", exp.Group(expressions=positions))
        return copy

    def merged(self, types: Sequence[TypeFact], checks: Checks) -> list[Merged]:
        """Return how each call merges over columns of `types`.  Raises CannotSplit."""
        return [
            aggregate.merge([PartialColumn(column(place), types[place]) for place in used], checks)
            for aggregate, used in zip(self._aggregates, self._used, strict=True)
        ]

    def keys_in_doubt(self, types: Sequence[TypeFact], checks: Checks) -> dict[int, exp.Expr]:
        """Return, for keys that may look different in one group, the condition that they do."""
        doubts = {}
        for place in self._keys:
            fact = types[place]
            if fact.has_one_representation:
                continue
            if self._by_rows:
                differ = rows_look_different(PartialColumn(column(place), fact), None)
            else:
                differ = Looks(self._columns[place], fact, checks).differ()
            if differ is not None:
                doubts[place] = differ
        return doubts

    def _place(self, expression: exp.Expr) -> int:
        meant = meaning(expression)
        if meant not in self._meanings:
            self._meanings.append(meant)
            self._columns.append(expression)
        return self._meanings.index(meant)


def _needs_rows(call: AggregateCall) -> bool:
    return (call.name in COLLECTORS and not call.is_distinct) or call.name in ORDERED_SETS


def _aggregate(call: AggregateCall, *, by_rows: bool) -> Aggregate:
    if by_rows or call.is_distinct:
        return Carried(call, by_rows=by_rows)
    if call.name in SPREADS | EXTREMES | LOGIC | BITS:
        if len(call.arguments) != 1:
            raise CannotSplit(f"{call.name} is called in a form that is not split")
        if call.name in SPREADS:
            return Spread(call)
        return Extreme(call) if call.name in EXTREMES else Logic(call)
    return total(call)

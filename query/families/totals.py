"""count, sum and avg.

`avg(x)` becomes `sum(x)` and `count(x)`: PostgreSQL itself divides the one by the other, so the
scale of the quotient comes out the same.
"""

from collections.abc import Sequence

from sqlglot import exp

from query.aggregate_call import AggregateCall
from query.aggregates import Aggregate, CannotSplit, Checks, Merged, PartialColumn
from query.expressions import formula
from query.types import FLOATS, INT8, MONEY, NUMERIC, TypeFact


class Count(Aggregate):
    """count(*) and count(x)."""

    def __init__(self, call: AggregateCall) -> None:
        self.partials = [call.over(call.arguments, filter_=call.filter_)]

    def merge(self, columns: Sequence[PartialColumn], _checks: Checks) -> Merged:
        """Add up; of no partials at all the count is 0, not null."""
        return Merged(formula("CAST(coalesce(sum(x), 0) AS bigint)", x=columns[0].node))


class Sum(Aggregate):
    """sum(x)."""

    def __init__(self, call: AggregateCall) -> None:
        self.partials = [call.over(call.arguments, filter_=call.filter_)]

    def merge(self, columns: Sequence[PartialColumn], _checks: Checks) -> Merged:
        """Add up, in the type that the whole sum has."""
        check_sum(columns[0].fact)
        if columns[0].fact.oid == INT8:  # sum(bigint) is numeric; this was a sum of smaller ones
            return Merged(formula("CAST(sum(x) AS bigint)", x=columns[0].node))
        return Merged(formula("sum(x)", x=columns[0].node))


class Average(Aggregate):
    """avg(x)."""

    def __init__(self, call: AggregateCall) -> None:
        (argument,) = call.arguments
        self.partials = [call.of("sum", argument), call.of("count", argument)]

    def merge(self, columns: Sequence[PartialColumn], _checks: Checks) -> Merged:
        """Divide the sum of the sums by that of the counts."""
        check_sum(columns[0].fact)
        sums, counts = (column.node for column in columns)
        return Merged(formula("sum(s) / nullif(sum(n), 0)", s=sums, n=counts))


def check_sum(fact: TypeFact) -> None:
    """Raise CannotSplit for sums of type `fact` that depend on the order of addition."""
    if fact.oid in FLOATS:
        raise CannotSplit("a sum of floats depends on the order in which they are added")
    if fact.oid not in (INT8, NUMERIC, MONEY):
        raise CannotSplit(f"sums of {fact.name} are not split")


def total(call: AggregateCall) -> Aggregate:
    """Return the split of a count, sum or avg."""
    if len(call.arguments) != 1 or (
        call.name != "count" and isinstance(call.arguments[0], exp.Star)
    ):
        raise CannotSplit(f"{call.name} is called in a form that is not split")
    if call.name == "count":
        return Count(call)
    return Sum(call) if call.name == "sum" else Average(call)

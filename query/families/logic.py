"""bool_and, bool_or, every, bit_and, bit_or, bit_xor: of parts as of all."""

from collections.abc import Sequence

from query.aggregate_call import AggregateCall
from query.aggregates import Aggregate, CannotSplit, Checks, Merged, PartialColumn
from query.expressions import formula
from query.types import BOOL, INTEGERS


class Logic(Aggregate):
    """An aggregate whose partials merge by itself."""

    def __init__(self, call: AggregateCall) -> None:
        self._name = call.name
        self.partials = [call.over(call.arguments, filter_=call.filter_)]

    def merge(self, columns: Sequence[PartialColumn], _checks: Checks) -> Merged:
        """Apply it again; smaller integers stay what they are."""
        fact = columns[0].fact
        if fact.oid != BOOL and fact.oid not in INTEGERS:
            raise CannotSplit(f"{self._name} over {fact.name} is not split")
        return Merged(formula(f"{self._name}(x)", x=columns[0].node))

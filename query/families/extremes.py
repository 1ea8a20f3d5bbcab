"""min and max."""

from collections.abc import Sequence

from query.aggregate_call import AggregateCall
from query.aggregates import Aggregate, CannotSplit, Checks, Merged, PartialColumn
from query.expressions import formula
from query.looks import Looks
from query.types import BPCHAR, EXTREMES, FLOATS, TypeFact


class Extreme(Aggregate):
    """min(x) and max(x)."""

    def __init__(self, call: AggregateCall) -> None:
        self._call = call
        self.partials = [call.over(call.arguments, filter_=call.filter_)]

    def merge(self, columns: Sequence[PartialColumn], checks: Checks) -> Merged:
        """Take the extreme of the extremes, unless equal ones look different."""
        node, fact = columns[0].node, columns[0].fact
        if not (fact.oid in EXTREMES or fact.kind == "e") or not fact.deterministic:
            raise CannotSplit(f"{self._call.name} over {fact.name}: equal values of it may look "
                              "different")  # fmt: skip
        value = formula(f"{self._call.name}(x)", x=node)
        if not may_look_different(fact):
            return Merged(value)
        (argument,) = self._call.arguments
        differ = Looks(argument, fact, checks, self._call.filter_).differ()
        if fact.oid in FLOATS:  # looks tell zeros apart, which are of interest if they are chosen
            differ = formula("value = 0 AND differ", value=value, differ=differ)
        return Merged(value, differ)


def may_look_different(fact: TypeFact) -> bool:
    """Tell whether equal values of an aggregate's result may; its type has lost its modifier."""
    return not fact.has_one_representation or fact.oid == BPCHAR

"""The aggregates that split: what each needs of a fragment, and how its partials merge.

`avg(x)` becomes `sum(x)` and `count(x)`: PostgreSQL itself divides the one by the other, so the
scale of the quotient comes out the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from query.errors import QueryError
from query.types import EXTREMES, FLOATS, INT8, MONEY, NUMERIC, TypeFact


class CannotSplit(QueryError):
    """The query runs whole; `reason` says why."""

    code = "not-splittable"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "")


@dataclass(frozen=True)
class Merged:
    """How an aggregate's partials merge.

    `ambiguous` is a condition that, where true, shows that the answer depends on the order in
    which PostgreSQL would have met the rows; `checks` are further partial expressions that it
    needs, standing for the columns `check0…` of this aggregate.
    """

    value: exp.Expr
    ambiguous: exp.Expr | None = None
    checks: list[exp.Expr] = field(default_factory=list)


class Aggregate:
    """One call of an aggregate, with its FILTER."""

    def __init__(self, call: exp.Expr) -> None:
        self._filter = call.expression if isinstance(call, exp.Filter) else None
        self._call = call.this if isinstance(call, exp.Filter) else call
        argument = self._call.this
        if isinstance(argument, exp.Distinct):
            raise CannotSplit(f"{self._call.key}(DISTINCT …) needs all values in one place")
        if isinstance(argument, exp.Order) or self._call.expressions:
            raise CannotSplit(f"{self._call.key} is called in a form that is not split")

    @property
    def partials(self) -> list[exp.Expr]:
        """What each fragment computes, one or more expressions."""
        if isinstance(self._call, exp.Avg):
            return [self._with_filter(exp.Sum(this=self._argument)), self._count_values()]
        return [self._with_filter(self._call.copy())]

    def merge(
        self, columns: Sequence[exp.Expr], types: Sequence[TypeFact], checks: Sequence[exp.Expr]
    ) -> Merged:
        """Return the merge over the partial `columns` of `types`.

        `checks` are columns to use for check expressions, two at most.
        """
        if isinstance(self._call, exp.Count):
            return Merged(_big(exp.Sum(this=columns[0])))
        if isinstance(self._call, exp.Sum):
            return Merged(_sum(columns[0], types[0]))
        if isinstance(self._call, exp.Avg):
            _sum(columns[0], types[0])
            count = exp.Nullif(this=exp.Sum(this=columns[1]), expression=exp.Literal.number(0))
            return Merged(exp.Paren(this=_quotient(exp.Sum(this=columns[0]), count)))
        return self._extreme(columns[0], types[0], checks)

    @property
    def _argument(self) -> exp.Expr:
        argument: exp.Expr = self._call.this.copy()
        return argument

    def _count_values(self) -> exp.Expr:
        return self._with_filter(exp.Count(this=self._argument, big_int=True))

    def _with_filter(self, call: exp.Expr) -> exp.Expr:
        if self._filter is None:
            return call
        return exp.Filter(this=call, expression=self._filter.copy())

    def _extreme(self, column: exp.Expr, fact: TypeFact, checks: Sequence[exp.Expr]) -> Merged:
        name = self._call.key
        if not (fact.oid in EXTREMES or fact.kind == "e") or not fact.deterministic:
            raise CannotSplit(f"{name} over {fact.name}: equal values of it may look different")
        value = type(self._call)(this=column)
        if fact.oid in FLOATS:  # 0 and -0 are equal, and it matters which of them comes first
            zero = exp.EQ(this=value.copy(), expression=exp.Literal.number(0))
            return Merged(value, zero)
        if not fact.needs_scale_check:
            return Merged(value)
        wanted, differ = scale_check(self._argument, checks)
        return Merged(value, differ, [self._with_filter(part) for part in wanted])


def scale_check(value: exp.Expr, columns: Sequence[exp.Expr]) -> tuple[list[exp.Expr], exp.Expr]:
    """Return partial expressions and, over their columns, whether scales of `value` differ.

    Equal numerics may be written 1.0 and 1.00; while all have one scale, they can't.
    """
    scale = exp.Anonymous(this="scale", expressions=[value.copy()])
    wanted: list[exp.Expr] = [exp.Min(this=scale), exp.Max(this=scale.copy())]
    low, high = exp.Min(this=columns[0]), exp.Max(this=columns[1])
    return wanted, exp.NullSafeNEQ(this=low, expression=high)


def _sum(column: exp.Expr, fact: TypeFact) -> exp.Expr:
    if fact.oid in FLOATS:
        raise CannotSplit("a sum of floats depends on the order in which they are added")
    if fact.oid == INT8:  # sum(bigint) is numeric; what is merged here was a sum of smaller ones
        return _big(exp.Sum(this=column))
    if fact.oid in (NUMERIC, MONEY):
        return exp.Sum(this=column)
    raise CannotSplit(f"sums of {fact.name} are not split")


def _quotient(dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
    # typed and not safe, or sqlglot would write casts and a guard that PostgreSQL has no need of
    return exp.Div(this=dividend, expression=divisor, typed=True, safe=False)


def _big(value: exp.Expr) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build("bigint", dialect="postgres"))

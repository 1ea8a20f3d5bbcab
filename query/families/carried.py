"""Aggregates whose arguments travel, so that the merge runs the original call over them.

    array_agg(x ORDER BY y) FILTER (WHERE z)

has x, y and z sent for each row, and is array_agg(p.c0 ORDER BY p.c1) FILTER (WHERE p.c2) in the
merge.  Of DISTINCT calls only the different values travel: the fragment groups by them as well.
"""

from collections.abc import Sequence

from sqlglot import exp

from query.aggregate_call import (
    COLLECTORS,
    EXTREMES,
    ORDERED_SETS,
    SPREADS,
    TOTALS,
    AggregateCall,
)
from query.aggregates import Aggregate, CannotSplit, Checks, Merged, PartialColumn
from query.canonical import meaning
from query.expressions import any_of, formula
from query.looks import Looks, rows_look_different
from query.trees import copied
from query.types import FLOATS, INTEGERS, MONEY, NUMERIC, TypeFact

RANKS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})


class Carried(Aggregate):
    """A call whose arguments travel; `by_rows` once for each row, else once for each value."""

    def __init__(self, call: AggregateCall, *, by_rows: bool) -> None:
        self._call = call
        self._by_rows = by_rows
        if call.name in COLLECTORS and not call.order and not call.is_distinct:
            raise CannotSplit(f"{call.name} without ORDER BY depends on the order of rows")
        direct = call.name in ORDERED_SETS
        if direct != bool(call.within) or (
            direct and any(argument.find(exp.Column) for argument in call.arguments)
        ):
            raise CannotSplit(f"{call.name} is called in a form that is not split")
        self._travels = [
            not direct and not isinstance(argument, exp.Star) and (place == 0 or _varies(argument))
            for place, argument in enumerate(call.arguments)
        ]
        values = [
            argument
            for argument, travels in zip(call.arguments, self._travels, strict=True)
            if travels
        ]
        keys = [key.this for key in (*call.order, *call.within)]
        conditions = [] if call.filter_ is None else [call.filter_]
        self._width = len(values)
        self.carried = [*values, *keys, *conditions]

    def merge(self, columns: Sequence[PartialColumn], checks: Checks) -> Merged:
        """Write the call over the columns."""
        values = list(columns[: self._width])
        end = len(columns) - (self._call.filter_ is not None)
        keys = list(columns[self._width : end])
        filter_ = columns[end].node if self._call.filter_ is not None else None
        self._check_types(values)
        given = iter(values)
        arguments = [
            next(given).node if travels else argument
            for argument, travels in zip(self._call.arguments, self._travels, strict=True)
        ]
        sorting = [key.node for key in keys]
        value = self._call.over(
            arguments,
            order=sorting if self._call.order else (),
            within=sorting if self._call.within else (),
            filter_=filter_,
        )
        if self._call.is_distinct:
            return Merged(value, self._values_in_doubt(values, filter_, checks))
        return Merged(value, self._rows_in_doubt(values, keys, filter_))

    def _check_types(self, values: Sequence[PartialColumn]) -> None:
        name = self._call.name
        if not (name in SPREADS or name in TOTALS) or name == "count":
            return
        fact = values[0].fact
        if fact.oid in FLOATS:
            raise CannotSplit("a sum of floats depends on the order in which they are added")
        if fact.oid not in INTEGERS and fact.oid not in (NUMERIC, MONEY):
            raise CannotSplit(f"sums of {fact.name} are not split")

    def _values_in_doubt(
        self, values: Sequence[PartialColumn], filter_: exp.Expr | None, checks: Checks
    ) -> exp.Expr | None:
        if self._call.name == "count":
            return None
        conditions: list[exp.Expr | None] = []
        for column, expression in zip(values, self.carried, strict=False):
            if column.fact.has_one_representation:
                continue
            if self._by_rows:
                conditions.append(rows_look_different(column, filter_))
            else:
                looks = Looks(expression, column.fact, checks)
                conditions.append(looks.differ_for_one(column.node))
        return any_of(*conditions)

    def _rows_in_doubt(
        self,
        values: Sequence[PartialColumn],
        keys: Sequence[PartialColumn],
        filter_: exp.Expr | None,
    ) -> exp.Expr | None:
        name = self._call.name
        if name in COLLECTORS:
            return self._ties(values, keys, filter_)
        if name in EXTREMES:
            return rows_look_different(values[0], filter_)
        if name in ORDERED_SETS - RANKS and not _interpolates_numbers(name, keys[0].fact):
            return rows_look_different(keys[0], filter_)
        return None

    def _ties(
        self,
        values: Sequence[PartialColumn],
        keys: Sequence[PartialColumn],
        filter_: exp.Expr | None,
    ) -> exp.Expr | None:
        """Return whether rows with equal sort keys have arguments that differ."""
        sorted_by = {meaning(key.node) for key in keys}
        shown = [
            value
            for value in values
            if meaning(value.node) not in sorted_by or not value.fact.has_one_representation
        ]
        if not shown:
            return None
        parts: list[exp.Expr] = [key.node for key in keys]
        looks = [formula('concat(x) COLLATE "C"', x=value.node) for value in shown]
        nulls = [formula("x IS NULL", x=value.node) for value in shown]
        condition = filter_ if filter_ is not None else exp.true()
        return formula(
            "count(DISTINCT one) FILTER (WHERE f) <> count(DISTINCT other) FILTER (WHERE f)",
            one=_row(parts), other=_row([*parts, *looks, *nulls]), f=condition,
        )  # fmt: skip


def _varies(argument: exp.Expr) -> bool:
    return argument.find(exp.Column) is not None


def _interpolates_numbers(name: str, fact: TypeFact) -> bool:
    return name == "percentile_cont" and (fact.oid in INTEGERS or fact.oid == NUMERIC)


def _row(parts: Sequence[exp.Expr]) -> exp.Expr:
    return exp.Anonymous(this="row", expressions=[copied(part) for part in parts])

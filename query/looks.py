"""Values that are equal but look different: 1.0 and 1.00, 0 and -0, '1 day' and '24:00'.

Where PostgreSQL keeps one of several equal values, the order of rows decides which.  A look is an
integer or a text that tells such values apart; while all looks are alike, nothing is in doubt.
"""

from sqlglot import exp

from query.aggregates import Checks, PartialColumn
from query.expressions import formula
from query.trees import copied
from query.types import BPCHAR, FLOATS, INT4, NUMERIC, TEXT, TypeFact

INTEGER_FACT = TypeFact(INT4, -1, "integer", "integer")
TEXT_FACT = TypeFact(TEXT, -1, "text", "text")


def look(value: exp.Expr, fact: TypeFact) -> tuple[exp.Expr, TypeFact]:
    """Return the look of `value`, whose type is `fact`, and the look's own type."""
    if fact.oid == NUMERIC:
        return formula("scale(x)", x=value), INTEGER_FACT
    if fact.oid in FLOATS:  # only of zeros there are two
        return formula("CASE WHEN x = 0 THEN length(concat(x)) END", x=value), INTEGER_FACT
    if fact.oid == BPCHAR:  # concat keeps the blanks that a cast to text would drop
        length = formula("CASE WHEN NOT x IS NULL THEN length(concat(x)) END", x=value)
        return length, INTEGER_FACT
    return formula('concat(x) COLLATE "C"', x=value), TEXT_FACT


class Looks:
    """The least and the greatest look of a value in each group of a fragment."""

    def __init__(
        self, value: exp.Expr, fact: TypeFact, checks: Checks, filter_: exp.Expr | None = None
    ) -> None:
        seen, kind = look(value, fact)
        calls: list[exp.Expr] = [exp.Min(this=seen), exp.Max(this=copied(seen))]
        if filter_ is not None:
            calls = [
                exp.Filter(this=call, expression=exp.Where(this=copied(filter_))) for call in calls
            ]
        self._least, self._greatest = (checks.column(call, kind) for call in calls)

    def differ(self) -> exp.Expr:
        """Return whether, over all partials of a group, there is more than one look."""
        return formula(
            "min(least) IS DISTINCT FROM max(greatest)", least=self._least, greatest=self._greatest
        )

    def differ_for_one(self, value: exp.Expr) -> exp.Expr:
        """Return whether a value of the column `value`, which is grouped by, has two looks."""
        return formula(
            "coalesce(bool_or(least IS DISTINCT FROM greatest), false) OR "
            "count(DISTINCT x) <> count(DISTINCT row(x, least)) FILTER (WHERE NOT x IS NULL)",
            least=self._least, greatest=self._greatest, x=value,
        )  # fmt: skip


def rows_look_different(column: PartialColumn, filter_: exp.Expr | None) -> exp.Expr | None:
    """Return whether equal values among rows look different; None where that cannot be."""
    if column.fact.has_one_representation:
        return None
    present = formula("NOT x IS NULL", x=column.node)
    if filter_ is not None:
        present = formula("f AND present", f=filter_, present=present)
    return formula(
        "count(DISTINCT x) FILTER (WHERE present) <> "
        "count(DISTINCT concat(x) COLLATE \"C\") FILTER (WHERE present)",
        x=column.node, present=present,
    )  # fmt: skip

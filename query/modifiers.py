"""Type modifiers, such as the 5 of char(5), that only planning a query brings to light."""

from collections.abc import Sequence

from sqlglot import exp

from query.fragment import ColumnType
from query.types import (
    BIT,
    BPCHAR,
    INTERVAL,
    NUMERIC,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    TIMETZ,
    VARBIT,
    VARCHAR,
)

MODIFIED = frozenset({
    BIT, BPCHAR, INTERVAL, NUMERIC, TIME, TIMESTAMP, TIMESTAMPTZ, TIMETZ, VARBIT, VARCHAR,
})  # fmt: skip
# of several values the one that is left when constants are folded brings its own modifier
CHOICES = (exp.Case, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.SetOperation)


def planning_may_tell_more(tree: exp.Expr, columns: Sequence[ColumnType]) -> bool:
    """Tell whether a run of `tree` may give `columns` a modifier that parsing alone does not see.

    Then PostgreSQL must be asked for the columns of the planned query, which costs more.
    """
    if all(column.typmod >= 0 or column.oid not in MODIFIED for column in columns):
        return False
    return tree.find(*CHOICES) is not None

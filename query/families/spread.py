"""Variance and standard deviation of integers and numeric, as PostgreSQL computes them.

`numeric_stddev_internal` keeps N, sum(X) and sum(X²) as exact numerics, divides
N·sum(X²) - sum(X)² by N·(N-1) or N² at the scale that numeric division has for these operands
(`select_div_scale`), and takes the root of that quotient, rounded once, at the same scale.
"""

from collections.abc import Sequence

from query.aggregate_call import AggregateCall
from query.aggregates import Aggregate, Checks, Merged, PartialColumn
from query.expressions import any_of, formula
from query.families.totals import check_sum

VARIANCE = {
    "sample": "CASE WHEN n > 1 THEN CASE WHEN n * q - s * s > 0 "
    "THEN (n * q - s * s) / (n * (n - 1)) ELSE 0 END END",
    "population": "CASE WHEN n > 0 THEN CASE WHEN n * q - s * s > 0 "
    "THEN (n * q - s * s) / (n * n) ELSE 0 END END",
}
# A square has twice the scale, and numeric keeps 16383 digits of it.  The scale of NaN and of
# the infinities is null: these take a way of their own through PostgreSQL.
OUT_OF_REACH = "CASE WHEN n > 0 THEN coalesce(scale(s) > 8191, true) END"

# sqrt() may keep more digits than the variance has, and rounding twice is not rounding once: the
# root of j² + j lies below j + ½ by only 1/(8j).  With this many digits it still does.
DIGITS = "2 * scale(v) + length(CAST(trunc(v) AS text)) + 3"
DEVIATION = f"CASE WHEN v = 0 THEN 0 ELSE round(sqrt(round(v, {DIGITS})), scale(v)) END"
MOST_DIGITS = 1000  # NUMERIC_MAX_DISPLAY_SCALE: sqrt() has no more
TOO_MANY_DIGITS = f"{DIGITS} > {MOST_DIGITS}"


class Spread(Aggregate):
    """stddev, stddev_samp, stddev_pop, variance, var_samp, var_pop."""

    def __init__(self, call: AggregateCall) -> None:
        (argument,) = call.arguments
        self._kind = "population" if call.name.endswith("_pop") else "sample"
        self._is_deviation = call.name.startswith("stddev")
        square = formula("CAST(x AS numeric) * CAST(x AS numeric)", x=argument)
        self.partials = [
            call.of("count", argument), call.of("sum", argument), call.of("sum", square),
        ]  # fmt: skip

    def merge(self, columns: Sequence[PartialColumn], _checks: Checks) -> Merged:
        """Compute from the three sums."""
        check_sum(columns[1].fact)
        n, s, q = (formula("sum(x)", x=column.node) for column in columns)
        unsure = formula(OUT_OF_REACH, n=n, s=s)
        value = formula(VARIANCE[self._kind], n=n, s=s, q=q)
        if self._is_deviation:
            unsure = any_of(unsure, formula(TOO_MANY_DIGITS, v=value)) or unsure
            value = formula(DEVIATION, v=value)
        return Merged(value, unsure)

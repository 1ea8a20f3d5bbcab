"""Figures of many runs: medians, quantiles, geometric means, ratios."""

import math
import statistics
from collections.abc import Iterable, Sequence


def median(values: Sequence[float]) -> float:
    """Return the median; not a number if there are no values."""
    return statistics.median(values) if values else math.nan


def quantile(values: Sequence[float], share: float) -> float:
    """Return the least value that at least `share` of all are not above; not a number without any.

    The nearest-rank definition: of ten values the 0.99 quantile is the largest.
    """
    if not values:
        return math.nan
    rank = math.ceil(share * len(values))
    return sorted(values)[min(len(values), max(1, rank)) - 1]


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean of positive numbers; not a number if there are none."""
    logarithms = [math.log(value) for value in values]
    return math.exp(statistics.fmean(logarithms)) if logarithms else math.nan


def ratios(times: Sequence[float | None], of: Sequence[float | None]) -> list[float]:
    """Return how often each of `of` fits into its counterpart of `times`; pairs lacking one drop.

    `ratios(postgresql, ours)` is so how many times faster we are.
    """
    return [
        one / other
        for one, other in zip(times, of, strict=True)
        if one is not None and other is not None and other > 0
    ]

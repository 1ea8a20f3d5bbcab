"""How long tasks take, of late: what waiting times and stragglers are told by."""

import math
import threading
import time
from collections.abc import Callable, Sequence

MEAN_HALF_LIFE_S = 5.0
SPREAD_HALF_LIFE_S = 30.0
LEAST_S = 0.001  # what takes less counts as this
STEP = 1.25  # from one bucket to the next: so exact is a quantile
BUCKETS = 80  # up to about 12 hours
ENOUGH = 20.0  # observations, older ones counting less: with fewer nobody knows a 99th percentile


class _Fading:
    """The weight that observations lose with time."""

    def __init__(self, half_life_s: float, monotonic: Callable[[], float]) -> None:
        self._half_life_s = half_life_s
        self._monotonic = monotonic
        self._last = monotonic()

    def factor(self) -> float:
        """Return by what older weights are multiplied now."""
        now = self._monotonic()
        passed_s, self._last = now - self._last, now
        return max(math.exp2(-passed_s / self._half_life_s), 1e-9)


class MeanTime:
    """The mean time that a slot needs for a task.  Safe for use by many threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fading = _Fading(MEAN_HALF_LIFE_S, monotonic)
        self._lock = threading.Lock()
        self._weight = 0.0
        self._sum = 0.0
        self._total = 0.0

    def add(self, seconds: float) -> None:
        """Note how long a task has occupied its slot, whatever came of it."""
        with self._lock:
            # never down to nothing: after a quiet hour, the latest known mean is still the best
            factor = self._fading.factor() if self._weight else 1.0
            self._weight = self._weight * factor + 1.0
            self._sum = self._sum * factor + seconds
            self._total += seconds

    @property
    def total_s(self) -> float:
        """All the seconds that were noted, which never fade."""
        return self._total

    def mean_s(self, running_s: Sequence[float], slots: int) -> float | None:
        """Return the mean in seconds; None before there was a task.

        `running_s` are the times of those that run now in some of the `slots`: where tasks have
        become long, that shows before the first of them has ended.
        """
        with self._lock:
            known_s = self._sum / self._weight if self._weight else None
        longer = [seconds for seconds in running_s if known_s is None or seconds > known_s]
        if known_s is None:
            return sum(longer) / len(longer) if longer else None
        return known_s + sum(seconds - known_s for seconds in longer) / max(slots, 1)


class Spread:
    """A histogram of times, in which older ones fade.  Safe for use by many threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fading = _Fading(SPREAD_HALF_LIFE_S, monotonic)
        self._lock = threading.Lock()
        self._weights = [0.0] * BUCKETS

    def add(self, seconds: float) -> None:
        """Note a time."""
        bucket = math.ceil(math.log(max(seconds, LEAST_S) / LEAST_S) / math.log(STEP))
        with self._lock:
            self._fade()
            self._weights[min(bucket, BUCKETS - 1)] += 1.0

    def quantile_s(self, share: float) -> float | None:
        """Return a time that at least `share` of all did not exceed, less than a step too high.

        None where too few are known, of late.
        """
        with self._lock:
            self._fade()
            weights = list(self._weights)
        total = sum(weights)
        if total < ENOUGH:
            return None
        below = 0.0
        for bucket, weight in enumerate(weights):
            below += weight
            if below >= share * total:
                return LEAST_S * STEP**bucket
        return LEAST_S * STEP ** (BUCKETS - 1)

    def _fade(self) -> None:
        factor = self._fading.factor()
        self._weights = [weight * factor for weight in self._weights]

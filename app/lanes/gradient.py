"""A limit that follows what the requests themselves tell: how much slower they are than alone."""

import math
import threading

# Slowdowns of so many requests are averaged: one slow request is no overload.
_SAMPLES = 20
# However slow they are, so much of the limit is the aim, at least.
_STEEPEST = 0.2
# Down faster than up: who is let in too many makes all wait, who is let in too few one more turn.
_DOWNWARDS = 3.0


class GradientLimit:
    """Between `floor` and `ceiling`, as large as can be while requests are not slowed down more.

    The gradient of Netflix' concurrency-limits: of the limit, the part `tolerance` / slowdown is
    kept (all of it at most), and the square root of it is added, so that it also looks for more.
    Each request moves it by its share, so that a slow kind moves it as far as a fast one in the
    time that its requests take.  Safe for use by many threads.
    """

    def __init__(self, *, floor: int, ceiling: int, tolerance: float) -> None:
        self._floor = floor
        self._ceiling = ceiling
        self._tolerance = tolerance
        self._lock = threading.Lock()
        # from above: where nothing is slowed down, nothing needs to be held back
        self._limit = float(ceiling)
        self._log_slowdown = 0.0

    @property
    def current(self) -> int:
        """The limit now."""
        return int(self._limit)

    def observe(self, slowdown: float, in_flight: int) -> None:
        """Note that a request took `slowdown` times as long as alone, `in_flight` at once."""
        with self._lock:
            self._log_slowdown += (math.log(slowdown) - self._log_slowdown) / _SAMPLES
            kept = self._tolerance / math.exp(self._log_slowdown)
            kept = min(1.0, max(_STEEPEST, kept))
            step = (kept - 1.0) + 1.0 / math.sqrt(self._limit)
            if step > 0 and in_flight < self._limit / 2:
                return  # that few are not slow says nothing about more
            if step < 0:
                step *= _DOWNWARDS
            moved = self._limit + step
            self._limit = min(float(self._ceiling), max(float(self._floor), moved))

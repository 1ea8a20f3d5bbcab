"""How long statements take when nothing is in their way."""

import math
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass

_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
_WEIGHT = 0.1
_LEAST_S = 1e-6


@dataclass
class _Times:
    """Logarithms of seconds: the mean of late, and the mean alone; `seen` when."""

    mean: float
    alone: float
    seen: float


class Baselines:
    """Compares a query's time with that of queries of the same text, but for its literals.

    Queries take from milliseconds to minutes, so their times themselves tell nothing about load:
    the mixture changes them more than any overload.  The baseline of a text is the mean of the
    times while no other query ran here.  Where that never happens, it is the least that the mean
    has been, and rises to the present one at e-fold in `settle_s` at most: a load that stays does
    not soon pass for the normal state, and tables may grow.  Of `most` texts, the latest.  Safe
    for use by many threads.
    """

    def __init__(self, *, most: int = 512, settle_s: float = 300.0) -> None:
        self._most = most
        self._settle_s = settle_s
        self._lock = threading.Lock()
        self._times: OrderedDict[int, _Times] = OrderedDict()

    def slowdown(self, sql: str, seconds: float, now: float, *, alone: bool) -> float | None:
        """Return `seconds` as a multiple of the baseline; None for the first of its text."""
        text = hash(_LITERAL.sub("?", sql))
        took = math.log(max(seconds, _LEAST_S))
        with self._lock:
            times = self._times.get(text)
            if times is None:
                self._times[text] = _Times(took, took, now)
                if len(self._times) > self._most:
                    self._times.popitem(last=False)
                return None
            self._times.move_to_end(text)
            times.mean += _WEIGHT * (took - times.mean)
            if alone:
                times.alone += _WEIGHT * (took - times.alone)
            elif times.mean > times.alone:
                risen = (now - times.seen) / self._settle_s
                times.alone = min(times.mean, times.alone + risen)
            times.alone = min(times.alone, times.mean)
            times.seen = now
            return math.exp(took - times.alone)

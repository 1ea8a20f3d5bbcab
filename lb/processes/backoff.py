"""How long to wait before a process that died is started again."""

import math

_FIRST_S = 0.1
_MOST_S = 10.0
# A process that was killed is needed now; one that keeps dying only costs.
_FREE_DEATHS = 3
# A process that served for so long did not die of its start.
_PROVEN_S = 10.0


class Backoff:
    """At once at first; then doubled from 0.1 s with each death, up to 10 s.

    A life of 10 s makes up for all deaths before it, one of 5 s for half of them.  One that never
    began has no start at once.
    """

    def __init__(self) -> None:
        self._deaths = 0.0

    def after_life(self, seconds: float) -> float:
        """Return the seconds to wait after a process has lived for `seconds`; 0: it never did."""
        if seconds <= 0:
            self._deaths = max(self._deaths, _FREE_DEATHS)
        self._deaths *= 1 - min(1.0, seconds / _PROVEN_S)
        doublings = self._deaths - _FREE_DEATHS
        self._deaths += 1
        if doublings < 0:
            return 0.0
        # 2.0 ** 1024 would be an error
        return min(_MOST_S, _FIRST_S * math.exp2(min(doublings, 10)))

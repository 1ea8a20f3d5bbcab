"""Redis's clock, as seen from here: the one clock that all hosts agree on."""

import time
from collections.abc import Callable


class RedisClock:
    """Tells how old a task is, without asking Redis each time.

    Every heartbeat brings Redis's time; in between, our monotonic clock counts on.  So the clocks
    of hosts may differ as they like, and a jump of ours changes nothing.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset_ms: float | None = None

    @property
    def is_set(self) -> bool:
        """Whether Redis's time has been learnt."""
        return self._offset_ms is not None

    def set(self, redis_ms: int) -> None:
        """Note Redis's time, just received."""
        self._offset_ms = redis_ms - self._monotonic() * 1000

    def age_s(self, queued_at_ms: int) -> float:
        """Return the seconds since that time of Redis; never negative.

        Before the first heartbeat everything counts as new.
        """
        if self._offset_ms is None:
            return 0.0
        return max(0.0, (self._monotonic() * 1000 + self._offset_ms - queued_at_ms) / 1000)

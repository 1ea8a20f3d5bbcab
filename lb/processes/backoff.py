"""How long to wait before a process that died is started again."""

_FIRST_S = 0.1
_MOST_S = 10.0
# A process that served for so long did not die of its start.
_PROVEN_S = 10.0


class Backoff:
    """At once after a long life; else doubled from 0.1 s with each death in a row, up to 10 s."""

    def __init__(self) -> None:
        self._deaths = 0

    def after_life(self, seconds: float) -> float:
        """Return the seconds to wait after a process has lived for `seconds`."""
        if seconds >= _PROVEN_S:
            self._deaths = 0
            return 0.0
        # 2.0 ** 1024 would be an error
        delay_s = min(_MOST_S, _FIRST_S * 2.0 ** min(self._deaths, 10))
        self._deaths += 1
        return delay_s

"""How fast the sender of a stream is: without a total time, one that drips could stay forever."""


class Pace:
    """One sender's; it begins at `started`, by the balancer's clock."""

    def __init__(self, started: float) -> None:
        self._received = 0
        self._at = started

    def slow_since(self, now: float, received: int, enough: float, *, excused: bool) -> float:
        """Return since when fewer than `enough` bytes have come; `now` if they have.

        `received` bytes have come in all; who is `excused` is waited for by nobody.
        """
        if excused or received - self._received >= enough:
            self._received, self._at = received, now
        return self._at

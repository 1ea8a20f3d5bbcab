"""What calls came to in the last seconds: shares, not counts, so that load does not matter."""

from collections import deque
from dataclasses import dataclass

PIECES = 10


@dataclass
class Tally:
    """Calls that ended, the failed ones among them; round trips, and the slow ones among those."""

    calls: int = 0
    failures: int = 0
    round_trips: int = 0
    slow: int = 0


class CallWindow:
    """A sliding window of `window_s` seconds, in ten pieces: what is older than that is forgotten.

    Not for several threads at once: the breaker holds its lock.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._piece_s = window_s / PIECES
        self._pieces: deque[tuple[float, Tally]] = deque()

    def ended(self, now: float, *, failed: bool) -> None:
        """Count a call."""
        piece = self._piece(now)
        piece.calls += 1
        piece.failures += failed

    def took(self, now: float, *, slow: bool) -> None:
        """Count a round trip."""
        piece = self._piece(now)
        piece.round_trips += 1
        piece.slow += slow

    def total(self, now: float) -> Tally:
        """Return the sums of what is in the window."""
        self._forget(now)
        pieces = [piece for _, piece in self._pieces]
        return Tally(
            sum(piece.calls for piece in pieces),
            sum(piece.failures for piece in pieces),
            sum(piece.round_trips for piece in pieces),
            sum(piece.slow for piece in pieces),
        )

    def clear(self) -> None:
        """Forget everything."""
        self._pieces.clear()

    def _piece(self, now: float) -> Tally:
        self._forget(now)
        if not self._pieces or now - self._pieces[-1][0] >= self._piece_s:
            self._pieces.append((now, Tally()))
        return self._pieces[-1][1]

    def _forget(self, now: float) -> None:
        while self._pieces and now - self._pieces[0][0] > self._window_s:
            self._pieces.popleft()

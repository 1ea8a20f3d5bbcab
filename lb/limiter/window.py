"""What the two kinds of sliding window have in common."""

from typing import Literal, Protocol

from lb.limiter.window_counter import WindowCounter
from lb.limiter.window_log import WindowLog

Algorithm = Literal["log", "counter"]


class Window(Protocol):
    """Requests of each client within the last seconds.

    Times are monotonic seconds and never go back.
    """

    def __len__(self) -> int:
        """Clients held."""

    def take(self, client: str, now: float, amount: int) -> tuple[int, float]:
        """Count a request of `client` if it is among the `amount` that may pass in a window.

        Return how many may follow now, -1 when this one may not pass; and after how many seconds
        there is one more.
        """

    def add(self, client: str, now: float) -> None:
        """Count a request that passed by another's decision."""

    def sweep(self, now: float) -> None:
        """Forget clients of the past, a bounded number a call."""


def make_window(
    algorithm: Algorithm, amount: int, window_s: float, *, max_clients: int, now: float
) -> Window:
    """Return an empty window for limits of up to `amount`."""
    if algorithm == "log":
        return WindowLog(amount, window_s, max_clients=max_clients, now=now)
    return WindowCounter(window_s, max_clients=max_clients, now=now)

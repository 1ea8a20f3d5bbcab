"""The exact sliding window: the time of each request that passed, in memory.

The notation of limits is that of `limits`; its storages are not used.  Its in-memory one keeps a
thread that looks at every client up to a hundred times a second: with 100,000 clients that took
94 % of a processor.  It also needs two calls, of 10 and 7 µs, for what take() tells in one.
"""

from array import array
from bisect import bisect_left

from lb.limiter.generations import Generations


class WindowLog:
    """Lets an amount of requests pass in any span of `window_s` seconds, exactly.

    A client's log holds no more than `amount` times and an eighth.  A single time is held as it
    is: most clients in a flood of addresses come once, and an array would double their memory.
    """

    def __init__(self, amount: int, window_s: float, *, max_clients: int, now: float) -> None:
        self._window_s = window_s
        self._most = amount + amount // 8
        self._clients: Generations[float | array[float]] = Generations(
            window_s, max_clients=max_clients, now=now
        )

    def __len__(self) -> int:
        """Clients held."""
        return len(self._clients)

    def take(self, client: str, now: float, amount: int) -> tuple[int, float]:
        """Count a request of `client` if fewer than `amount` are in the window (see Window)."""
        log = self._clients.young.get(client)
        if log is None:
            log = self._adopt(client, now)
        start = now - self._window_s
        if isinstance(log, float):
            if log < start:
                self._clients.young[client] = now
                return amount - 1, self._window_s
            if amount == 1:
                return -1, log - start
            log = self._clients.young[client] = array("d", (log,))
        size = len(log)
        if size >= amount and log[-amount] >= start:
            return -1, log[-amount] - start
        if size >= self._most:  # seldom, so that taking away costs little a request
            del log[: bisect_left(log, start) or 1]
            size = len(log)
        log.append(now)
        oldest = bisect_left(log, start)
        return amount - 1 - size + oldest, log[oldest] - start

    def add(self, client: str, now: float) -> None:
        """Count a request that passed by another's decision."""
        self.take(client, now, self._most)

    def sweep(self, now: float) -> None:
        """Forget clients of the past, a bounded number a call."""
        self._clients.sweep(now)

    def _adopt(self, client: str, now: float) -> "float | array[float]":
        log = self._clients.adopt(client, now)
        if log is None:
            log = now - 2 * self._window_s  # long ago: as good as never
        self._clients.young[client] = log
        return log

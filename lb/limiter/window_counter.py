"""The approximate sliding window: two counts a client, whatever the limit."""

from lb.limiter.generations import Remains


class WindowCounter:
    """Counts in buckets as long as the window, the last two of which are kept.

    The requests of the bucket before are taken as evenly spread: the part of them that lies
    within the window is added to the bucket of now.  So the count of a window may be wrong by at
    most the requests of the bucket before; bursts about a bucket's end may let less than twice the
    limit pass in one window, and a client that stays below the limit in every two buckets is
    never refused.  Buckets begin at the same time for all clients.
    """

    def __init__(self, window_s: float, *, max_clients: int, now: float) -> None:
        self._window_s = window_s
        self._max_clients = max_clients
        self._counts: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._remains: Remains[int] = Remains()
        self._ends = now + window_s

    def __len__(self) -> int:
        """Clients held."""
        return len(self._counts) + len(self._before)

    def take(self, client: str, now: float, amount: int) -> tuple[int, float]:
        """Count a request of `client` if it is within `amount` (see Window)."""
        if now >= self._ends:
            self._next_bucket(now)
        count = self._counts.get(client, 0)
        before = self._before.get(client, 0)
        left_s = self._ends - now
        estimate = count + before * left_s / self._window_s
        allowed = estimate + 1 <= amount
        if allowed:
            count += 1
            estimate += 1
            self._put(client, count, now)
            left_s = self._ends - now
        remaining = int(amount - estimate)
        # One more may pass when the estimate has come down to this.
        goal = max(0, amount - 1 - remaining)
        if before and count <= goal:
            reset_s = left_s - (goal - count) * self._window_s / before
        else:
            reset_s = left_s + self._window_s * (1 - goal / count) if count else left_s
        return remaining if allowed else -1, reset_s

    def add(self, client: str, now: float) -> None:
        """Count a request that passed by another's decision."""
        if now >= self._ends:
            self._next_bucket(now)
        self._put(client, self._counts.get(client, 0) + 1, now)

    def sweep(self, now: float) -> None:
        """Forget clients of the past, a bounded number a call."""
        if now >= self._ends:
            self._next_bucket(now)
        self._remains.free()

    def _put(self, client: str, count: int, now: float) -> None:
        if count == 1:
            self._remains.free(2)  # two for each that comes: what is being freed stays bounded too
            if len(self._counts) >= self._max_clients:
                # Too many clients cost accuracy, not memory.
                self._turn(now + self._window_s)
        self._counts[client] = count

    def _next_bucket(self, now: float) -> None:
        late_s = now - self._ends
        if late_s >= self._window_s:  # a whole bucket passed without a request
            self._turn(now)
        self._turn(now - late_s % self._window_s + self._window_s)

    def _turn(self, ends: float) -> None:
        self._remains.add(self._before)
        self._before, self._counts = self._counts, {}
        self._ends = ends

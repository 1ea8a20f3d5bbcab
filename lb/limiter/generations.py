"""What is remembered of each client, in bounded memory, and let go in bounded pieces."""

from typing import Generic, TypeVar

State = TypeVar("State")

# So many a call: many more at once would be a pause that clients feel.
_PIECE = 10_000


class Remains(Generic[State]):
    """Dictionaries that nobody reads any more, freed piece by piece."""

    def __init__(self) -> None:
        self._dictionaries: list[dict[str, State]] = []

    def __len__(self) -> int:
        return sum(map(len, self._dictionaries))

    def add(self, dictionary: dict[str, State]) -> None:
        """Take a dictionary to be freed."""
        if dictionary:
            self._dictionaries.append(dictionary)

    def free(self, most: int = _PIECE) -> None:
        """Free at most `most` entries."""
        while self._dictionaries and most > 0:
            if self._dictionaries[-1]:
                self._dictionaries[-1].popitem()
                most -= 1
            else:
                self._dictionaries.pop()


class Generations(Generic[State]):
    """Two generations of clients.

    Each window the older one, which holds only clients not seen for a window, is let go.  A
    generation also ends when it has `max_clients`, so that an attacker with many addresses costs
    accuracy, not memory: at most twice as many are held.
    """

    def __init__(self, window_s: float, *, max_clients: int, now: float) -> None:
        self.young: dict[str, State] = {}
        self._old: dict[str, State] = {}
        self._remains: Remains[State] = Remains()
        self._window_s = window_s
        self._max_clients = max_clients
        self._ends = now + window_s

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def adopt(self, client: str, now: float) -> State | None:
        """Return the state of a client that isn't in `young`, where the caller must put it."""
        if len(self.young) >= self._max_clients:
            self._end(now)
        self._remains.free(2)  # two for each that comes: what is being freed stays bounded too
        return self._old.pop(client, None)

    def sweep(self, now: float) -> None:
        """Let go of a piece of the past."""
        # Only after the window: a request counts up to its very end.
        if now > self._ends:
            self._end(now)
        self._remains.free()

    def _end(self, now: float) -> None:
        self._remains.add(self._old)
        self._old, self.young = self.young, {}
        self._ends = now + self._window_s

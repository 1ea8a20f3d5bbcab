"""Room for costly queries that run whole because the workers have none for them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Overflow:
    """So many places in a process.

    Without such a bound, the queries that workers have no slot for would all run whole at once on
    PostgreSQL, and so make the workers' fragments slower, and with that more queries run whole.
    """

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places) if places else None

    @contextmanager
    def turn(self) -> Iterator["Turn"]:
        """Give a query its turn: what it takes is given back when the context is left."""
        turn = Turn(self._places)
        try:
            yield turn
        finally:
            turn.give_back()


class Turn:
    """One query's wish for a place."""

    def __init__(self, places: threading.BoundedSemaphore | None) -> None:
        self._places = places
        self._taken = False

    def take(self) -> bool:
        """Take a place, unless one is taken already; False if there is none."""
        if not self._taken and self._places is not None:
            self._taken = self._places.acquire(blocking=False)
        return self._taken

    def give_back(self) -> None:
        """Give the place to others."""
        if self._taken and self._places is not None:
            self._taken = False
            self._places.release()

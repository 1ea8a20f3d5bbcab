"""One computation at a time for each answer within this process; the others wait for it."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from app.queries.control import Control
from app.queries.request import Answer
from db.errors import CheckoutTimeout

CROWD_WAIT_S = 3.0
RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class Landing:
    """How a computation ended: with an answer for all, also a stale one, or not.

    "again": its leader gave up, or its answer counts for it only; another one shall lead.
    "alone": it met an error, and each of the others computes its own.
    """

    what: Literal["shared", "stale", "again", "alone"]
    answer: Answer | None = None
    etag: str = ""
    computed_at: float = 0.0
    stored: bool = False


class Flight:
    """A computation under way.  Its leader lands it, once."""

    def __init__(self) -> None:
        self.landing: Landing | None = None
        self.waiting: list[threading.Event] = []


class Flights:
    """All computations under way.

    At most `most_waiting` threads wait for as long as their queries have time; more of them only
    for a moment, so that the process keeps threads for other requests.
    """

    def __init__(self, most_waiting: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most_waiting = most_waiting
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}
        self._waiting = 0

    def board(self, key: str) -> tuple[Flight, bool]:
        """Return the flight of `key`, and whether the caller leads it; then it must land it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def land(self, key: str, flight: Flight, landing: Landing) -> None:
        """Tell all who wait."""
        with self._lock:
            flight.landing = landing
            self._flights.pop(key, None)
            waiting = list(flight.waiting)
        for event in waiting:
            event.set()

    def wait(self, flight: Flight, control: Control) -> Landing:
        """Wait for the landing.

        Raises DeadlinePassed, Cancelled, and CheckoutTimeout where too many wait already.
        """
        event = threading.Event()
        with ExitStack() as stack:
            stack.enter_context(control.cancelling(event.set))
            with self._lock:
                landing = flight.landing
                if landing is not None:
                    return landing
                flight.waiting.append(event)
                self._waiting += 1
                crowded = self._waiting > self._most_waiting
            try:
                left_s = control.remaining_s()
                event.wait(min(left_s, CROWD_WAIT_S) if crowded else left_s)
            finally:
                with self._lock:
                    self._waiting -= 1
                    flight.waiting.remove(event)
                    landing = flight.landing
        if landing is not None:
            return landing
        control.remaining_s()
        raise CheckoutTimeout(
            "Too many requests wait for the same answer; try again later.", RETRY_AFTER_S
        )

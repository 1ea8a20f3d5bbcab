"""The history of a drill: in memory for the checker, and on disk for whoever doubts it."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol

from cli.drill.event import FINE, Event, Outcome, Source, Value


class Output(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """Write a line."""


class History:
    """Grows from any thread.  Each event is a line of NDJSON, written when it is known."""

    def __init__(
        self, output: Output | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._output = output
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._events: list[Event] = []

    def now(self) -> float:
        """Return the seconds since the drill began."""
        return self._clock() - self._began

    def add(
        self, kind: str, invoked_at: float, completed_at: float, outcome: Outcome,
        value: Value = None, *, ending: str = FINE, stale: bool = False, source: Source = "client",
    ) -> Event:  # fmt: skip
        """Append an event and return it."""
        with self._lock:
            event = Event(
                len(self._events), kind, invoked_at, completed_at, outcome, value, ending, stale,
                source,
            )  # fmt: skip
            self._events.append(event)
            if self._output is not None:
                self._output.write(json.dumps(document(event)) + "\n")
        return event

    def events(self) -> list[Event]:
        """Return what has happened so far."""
        with self._lock:
            return list(self._events)


def document(event: Event) -> dict[str, Any]:
    """Return an event as JSON has it; its value says of which type it is."""
    described = asdict(event)
    if event.value is not None:
        described["value"] = {"type": type(event.value).__name__.lower(), **described["value"]}
    return described

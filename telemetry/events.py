"""Changes of state: each is one line of the log, and one count."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter

Level: TypeAlias = Literal["info", "warning", "error"]


class StateEvents:
    """Tells of a program's changes; `emit` may be called by any thread.

    `levels` are its events by name, each explained in docs/trouble.md; `log` is structlog's.
    """

    def __init__(self, registry: CollectorRegistry, levels: Mapping[str, Level], log: Any) -> None:
        self._levels = levels
        self._log = log
        self._counter = Counter(
            "millrace_events",
            "Changes of state, by name: see docs/trouble.md.",
            ("event",),
            registry=registry,
        )
        for name in levels:  # an alert needs the 0 before the 1
            self._counter.labels(name)

    def emit(self, name: str, cause: str, /, **facts: object) -> None:
        """Log the event `name`, one of those known, with its cause, and count it."""
        level = self._levels[name]
        self._counter.labels(name).inc()
        getattr(self._log, level)(name.replace("_", " "), _event=name, cause=cause, **facts)

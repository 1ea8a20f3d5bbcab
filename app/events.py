"""What changes in a replica: each change is one line of the log, and one count."""

from collections.abc import Mapping
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter

Level = Literal["info", "warning", "error"]

# each is explained in docs/trouble.md
EVENTS: Mapping[str, Level] = {
    "breaker_opened": "warning",
    "breaker_half_opened": "info",
    "breaker_closed": "info",
    "breaker_commanded": "warning",
    "cache_store_changed": "warning",
    "mode_on": "warning",
    "mode_off": "info",
    "overload_began": "warning",
    "overload_ended": "info",
    "process_restarted": "warning",
    "read_replica_ready": "info",
    "read_replica_unfit": "warning",
    "replica_draining": "info",
    "self_check_mismatch": "error",
}

_log = structlog.stdlib.get_logger("app.events")


class Events:
    """Tells of changes; `emit` may be called by any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(
            "millrace_events",
            "Changes of state, by name: see docs/trouble.md.",
            ("event",),
            registry=registry,
        )
        for name in EVENTS:  # an alert needs the 0 before the 1
            self._counter.labels(name)

    def emit(self, name: str, cause: str, /, **facts: object) -> None:
        """Log the event `name`, one of EVENTS, with its cause, and count it."""
        level = EVENTS[name]
        self._counter.labels(name).inc()
        getattr(_log, level)(name.replace("_", " "), _event=name, cause=cause, **facts)

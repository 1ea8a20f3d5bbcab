"""What changes in the balancer: each change is one line of the log, and one count."""

from collections.abc import Mapping
from typing import Literal, Protocol

from prometheus_client.core import CounterMetricFamily, Metric
from structlog.typing import FilteringBoundLogger

Level = Literal["info", "warning", "error"]

# each is explained in docs/trouble.md
EVENTS: Mapping[str, Level] = {
    "backend_added": "info",
    "backend_ejected": "warning",
    "backend_ready": "info",
    "backend_removed": "info",
    "backend_taken_out": "info",
    "balancer_draining": "info",
    "limiter_local": "warning",
    "limiter_shared": "info",
    "panic_began": "error",
    "panic_ended": "info",
    "process_hung": "error",
    "process_restarted": "error",
    "reload_refused": "error",
    "reloaded": "info",
    "throttle_began": "warning",
    "throttle_ended": "info",
}


class Emit(Protocol):
    """Is told of a change: its name, one of EVENTS, why, and what else is known."""

    def __call__(self, name: str, cause: str, /, **facts: object) -> None:
        """Take note."""


def unheard(_name: str, _cause: str, /, **_facts: object) -> None:
    """Take no note."""


class Events:
    """Tells of changes; `counts` has a number for each name."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self.counts = dict.fromkeys(EVENTS, 0)
        self._log = log

    def emit(self, name: str, cause: str, /, **facts: object) -> None:
        """Log the event with its cause, and count it."""
        level = EVENTS[name]
        self.counts[name] += 1
        getattr(self._log, level)(name.replace("_", " "), _event=name, cause=cause, **facts)

    def metric(self) -> Metric:
        """Return the counts for Prometheus; 0 too, which an alert needs before the 1."""
        family = CounterMetricFamily(
            "millrace_events", "Changes of state, by name: see docs/trouble.md.", labels=["event"]
        )
        for name, count in self.counts.items():
            family.add_metric([name], count)
        return family

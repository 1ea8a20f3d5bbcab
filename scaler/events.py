"""What changes in the scaler: each change is one line of the log, and one count."""

from collections.abc import Mapping

import structlog
from prometheus_client import CollectorRegistry

from telemetry.events import Level, StateEvents

# each is explained in docs/trouble.md
EVENTS: Mapping[str, Level] = {
    "redis_outage_began": "warning",
    "redis_outage_ended": "info",
    "scaler_active": "info",
    "scaler_standby": "info",
    "scaler_stopping": "info",
    "scaling_advised": "info",
    "scaling_failed": "error",
    "scaling_mended": "info",
    "workers_added": "info",
    "workers_leaving": "info",
    "workers_not_joined": "error",
}

_log = structlog.get_logger(__name__)


class Events(StateEvents):
    """Those of EVENTS."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry, EVENTS, _log)

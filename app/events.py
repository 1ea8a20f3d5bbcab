"""What changes in a replica: each change is one line of the log, and one count."""

from collections.abc import Mapping

import structlog
from prometheus_client import CollectorRegistry

from telemetry.events import Level, StateEvents

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


class Events(StateEvents):
    """Those of EVENTS."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry, EVENTS, _log)

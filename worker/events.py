"""What changes in a worker: each change is one line of the log, and one count."""

from collections.abc import Mapping

import structlog
from prometheus_client import CollectorRegistry

from telemetry.events import Level, StateEvents

# each is explained in docs/trouble.md
EVENTS: Mapping[str, Level] = {
    "acceleration_began": "info",
    "acceleration_ended": "info",
    "acceleration_refused": "warning",
    "breaker_opened": "warning",
    "breaker_half_opened": "info",
    "breaker_closed": "info",
    "breaker_commanded": "warning",
    "dead_consumer_removed": "info",
    "dead_letter": "error",
    "failed_attempt": "warning",
    "keeper_restarted": "error",
    "lease_lapsed": "warning",
    "lease_reclaimed": "warning",
    "outage": "warning",
    "redis_outage_began": "warning",
    "redis_outage_ended": "info",
    "segment_build_failed": "warning",
    "segment_clean_up_failed": "warning",
    "segments_damaged": "error",
    "tracking_broken": "warning",
    "worker_draining": "info",
}

_log = structlog.get_logger(__name__)


class Events(StateEvents):
    """Those of EVENTS."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry, EVENTS, _log)

"""The document of /lb/status."""

from typing import Any

from lb.backend.backend import Backend
from lb.proxy import Proxy


def status(proxy: Proxy) -> dict[str, Any]:
    """Return the balancer's condition; numbers count from its start."""
    limiter = proxy.limiter
    return {
        "draining": proxy.draining,
        "strategy": proxy.backends.strategy,
        "backends": [_backend(backend) for backend in proxy.backends.by_id.values()],
        "connections": {
            "open": len(proxy.clients),
            "most": proxy.settings.max_client_connections,
            "refused": proxy.counters.connections_refused,
        },
        "requests": {
            "active": proxy.counters.active,
            "retrying": proxy.retry_budget.retrying,
            "retries": dict(proxy.counters.retries),
        },
        "queue": {
            "waiting": len(proxy.backends.queue.waiting),
            "refused": proxy.backends.queue.refused,
            "expired": proxy.backends.queue.expired,
        },
        "panicking": proxy.backends.panicking,
        "limiter": None if limiter is None else limiter.status(),
    }


def _backend(backend: Backend) -> dict[str, Any]:
    latency_s, check = backend.latency_s, backend.check
    return {
        "id": backend.id,
        "state": backend.state,
        "reason": backend.health.reason,
        "active": backend.active,
        "connections": backend.connections,
        "idle": len(backend.idle),
        "requests": sum(backend.answers),
        "failures": backend.failures,
        "connect_failures": backend.connect_failures,
        "ejections": backend.ejections,
        "weight": backend.full_weight,
        "effective_weight": round(backend.weight, 3),
        "peak_ms": None if backend.peak_s is None else round(backend.peak_s * 1000, 3),
        "last_check": None if check is None else check.at,
        "last_check_result": None if check is None else check.failure or "passed",
        "last_check_ms": None if check is None else round(check.seconds * 1000, 3),
        "latency_ms": None if latency_s is None else round(latency_s * 1000, 3),
    }

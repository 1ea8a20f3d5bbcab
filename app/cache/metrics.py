"""Metrics of the cache."""

import threading
from collections import Counter as Counts
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from app.cache.status import Origin
from app.cache.store import Size

MODES = ("off", "database", "redis")


class CacheMetrics:
    """What the cache did, and which store it uses."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lock = threading.Lock()
        self._counts: Counts[Origin] = Counts()
        self._answers = Counter(
            "millrace_app_cache_answers",
            "Answers by where they came from.",
            ("origin",),
            registry=registry,
        )
        for origin in get_args(Origin):  # a rate needs the 0 before the 1
            self._answers.labels(origin)
        self._evictions = Counter(
            "millrace_app_cache_evictions", "Answers dropped for room.", registry=registry
        )
        self._refreshes = Counter(
            "millrace_app_cache_refreshes",
            "Answers computed in the background, before somebody asks.",
            registry=registry,
        )
        self._bytes = Gauge(
            "millrace_app_cache_bytes",
            "Bytes of the answers in the store in use, which all replicas share.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._entries = Gauge(
            "millrace_app_cache_entries",
            "Answers in the store in use, which all replicas share.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._mode = Gauge(
            "millrace_app_cache_mode",
            "Store in use: 0 none, 1 PostgreSQL, 2 Redis; the worst of the processes.",
            multiprocess_mode="livemin",
            registry=registry,
        )

    def answered(self, origin: Origin) -> None:
        """Count an answer."""
        self._answers.labels(origin).inc()
        with self._lock:
            self._counts[origin] += 1

    def evicted(self, count: int) -> None:
        """Count answers dropped for room."""
        self._evictions.inc(count)

    def refreshed(self) -> None:
        """Count a computation in the background."""
        self._refreshes.inc()

    def seen(self, size: Size) -> None:
        """Note how much is held."""
        self._bytes.set(size.bytes)
        self._entries.set(size.entries)

    def mode(self, mode: str) -> None:
        """Note the store in use."""
        self._mode.set(MODES.index(mode))

    def count(self, origin: Origin) -> int:
        """Return how many answers came from there, in this process."""
        return self._counts[origin]

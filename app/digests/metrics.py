"""Metrics of stored digests."""

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

Refusal = Literal["not_taken", "unsure", "failed"]


class DigestMetrics:
    """How many digests are stored, wait for their commit, and were not stored."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._stored = Counter(
            "millrace_app_digests_stored",
            "Sightings of digests that are stored, durably.",
            registry=registry,
        )
        self._refused = Counter(
            "millrace_app_digests_refused",
            "Sightings of digests that were not stored, or not known to be, by why.",
            ("reason",),
            registry=registry,
        )
        self._waiting = Gauge(
            "millrace_app_digests_waiting",
            "Sightings of digests that wait for a commit.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        for reason in ("not_taken", "unsure", "failed"):
            self._refused.labels(reason)

    def stored(self, count: int) -> None:
        """Count what is stored."""
        self._stored.inc(count)

    def refused(self, count: int, reason: Refusal) -> None:
        """Count what is not stored (`not_taken`, `failed`), or perhaps not (`unsure`)."""
        self._refused.labels(reason).inc(count)

    def waiting(self, count: int) -> None:
        """Note how many wait."""
        self._waiting.set(count)

"""What Prometheus reads of the scaler: names `millrace_scaler_*`."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from scaler.decision import REASONS, Decision, Fleet
from scaler.policy import Policy


class ScalerMetrics:
    """What was decided, of what, and whether it could be made so."""

    def __init__(
        self,
        registry: CollectorRegistry,
        policy: Policy,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"millrace_scaler_{name}", meaning, registry=registry)

        self._monotonic = monotonic
        self._decided_at = monotonic()
        self._active = gauge(
            "active", "1 while this scaler decides, 0 while it stands by for another."
        )
        self._wanted = gauge("workers_wanted", "Workers that there should be.")
        self._running = gauge("workers_running", "Workers that run, without those that leave.")
        self._leaving = gauge("workers_leaving", "Workers that were told to leave, and have not.")
        self._not_joined = gauge(
            "workers_not_joined", "Workers that run, and are not on the roll though they had time."
        )
        gauge("workers_min", "Fewest workers that there may be.").set(policy.minimum)
        gauge("workers_max", "Most workers that there may be.").set(policy.maximum)
        gauge(
            "decision_age_seconds", "Since the last decision that knew workers and queues."
        ).set_function(lambda: monotonic() - self._decided_at)
        self._decisions = Counter(
            "millrace_scaler_decisions",
            "Decisions, by what was to be done and why.",
            ("direction", "reason"),
            registry=registry,
        )
        self._failures = Counter(
            "millrace_scaler_driver_failures",
            "How often what was decided could not be made so.",
            registry=registry,
        )
        for direction, reasons in REASONS.items():
            for reason in reasons:
                self._decisions.labels(direction, reason)

    def is_active(self, active: bool) -> None:
        """Show whether this scaler is the one that decides."""
        self._active.set(active)

    def decided(self, decision: Decision, fleet: Fleet) -> None:
        """Show a decision and what it was about."""
        self._decisions.labels(decision.direction, decision.reason).inc()
        self._decided_at = self._monotonic()
        self._wanted.set(decision.wanted)
        self._running.set(fleet.running)
        self._leaving.set(fleet.leaving)
        self._not_joined.set(fleet.absent if decision.reason == "not_joined" else 0)

    def held_blindly(self, decision: Decision) -> None:
        """Count a decision that was made without knowing anything."""
        self._decisions.labels(decision.direction, decision.reason).inc()

    def failed(self) -> None:
        """Count a failure of the driver."""
        self._failures.inc()

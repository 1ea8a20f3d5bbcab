"""Metrics of read replicas."""

import math

from prometheus_client import CollectorRegistry, Gauge

from db.replicas import ReplicaWatch


class ReplicaMetrics:
    """How far behind each is; bounded by the replicas that the settings name."""

    def __init__(self, registry: CollectorRegistry, watch: ReplicaWatch) -> None:
        self._watch = watch
        self._age = Gauge(
            "millrace_app_read_replica_age_seconds",
            "How old what a read replica shows is at most; infinite while that is not known.",
            ("replica",),
            multiprocess_mode="livemax",
            registry=registry,
        )

    def look(self) -> None:
        """Show how old each is now."""
        for replica in self._watch.replicas:
            age_s = self._watch.age_s(replica)
            self._age.labels(replica.name).set(math.inf if age_s is None else age_s)

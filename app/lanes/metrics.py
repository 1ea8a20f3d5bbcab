"""Metrics of the lanes."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from app.lanes.lane import CAUSES, LANES, LaneName


class LaneMetrics:
    """Gauges are of this process; the sum of the processes is shown."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(
                name, meaning, ("lane",), multiprocess_mode="livesum", registry=registry
            )  # fmt: skip

        self._limit = gauge(
            "millrace_app_lane_limit", "Requests that may be worked on at once, by lane."
        )
        self._in_flight = gauge(
            "millrace_app_lane_in_flight", "Requests that are worked on, by lane."
        )
        self._waiting = gauge(
            "millrace_app_lane_waiting", "Requests that wait for their turn, by lane."
        )
        self.refused = Counter(
            "millrace_app_lane_refused_total",
            "Requests refused for overload, by lane and cause.",
            ("lane", "cause"),
            registry=registry,
        )
        for lane in LANES:  # shown as 0 before the first one, so that rates can be computed
            for cause in CAUSES:
                self.refused.labels(lane, cause)

    def seen(self, lane: LaneName, limit: int, in_flight: int, waiting: int) -> None:
        """Note the state of a lane."""
        self._limit.labels(lane).set(limit)
        self._in_flight.labels(lane).set(in_flight)
        self._waiting.labels(lane).set(waiting)

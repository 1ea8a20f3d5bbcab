"""All lanes of a process, and the news of them: counts, and when an overload begins and ends."""

from collections.abc import Callable, Mapping
from typing import Any, Generic

from app.lanes.baselines import Baselines
from app.lanes.gradient import GradientLimit
from app.lanes.lane import LANES, Cause, FixedLimit, ItemT, Lane, LaneName, Limit
from app.lanes.metrics import LaneMetrics
from app.lanes.settings import LaneSettings

# So long without a refusal, an overload is over.
CALM_S = 5.0

OnEvent = Callable[..., Any]
"""Called with the event's name, its cause, and facts by name."""


class Admission(Generic[ItemT]):
    """The lanes by name.

    For one thread, but for `ran`.  `on_event` hears `overload_began` and `overload_ended`.
    """

    def __init__(
        self,
        settings: LaneSettings,
        metrics: LaneMetrics,
        on_event: OnEvent,
        clock: Callable[[], float],
    ) -> None:
        self._metrics = metrics
        self._on_event = on_event
        self._clock = clock
        self._baselines = Baselines()
        self._gradient = GradientLimit(
            floor=settings.app_query_limit_min,
            ceiling=settings.app_query_limit,
            tolerance=settings.app_query_slowdown,
        )
        limits: Mapping[LaneName, Limit] = {
            "health": FixedLimit(settings.app_health_limit),
            "status": FixedLimit(settings.app_status_limit),
            "hash": FixedLimit(settings.app_hash_limit),
            "query": self._gradient,
            "bulk": FixedLimit(settings.app_bulk_limit),
        }
        self.lanes: Mapping[LaneName, Lane[ItemT]] = {
            name: Lane(
                name,
                limits[name],
                max_waiting=settings.app_max_waiting,
                wait_s=settings.app_wait_s,
            )
            for name in LANES
        }
        self._refused: dict[LaneName, int] = {}
        self._refused_at: dict[LaneName, float] = {}

    def ran(self, sql: str, seconds: float) -> None:
        """Learn from a query that was answered in `seconds`, waits for connections included."""
        in_flight = self.lanes["query"].in_flight
        now = self._clock()
        slowdown = self._baselines.slowdown(sql, seconds, now, alone=in_flight <= 1)
        if slowdown is not None:
            self._gradient.observe(slowdown, in_flight)

    @property
    def trouble(self) -> str | None:
        """Which lanes have refused requests just now; None: none has."""
        names = sorted(self._refused)
        return f"refused lately: {', '.join(names)}" if names else None

    def refused(self, lane: LaneName, cause: Cause) -> None:
        """Count a refusal."""
        self._metrics.refused.labels(lane, cause).inc()
        if lane not in self._refused:
            self._refused[lane] = 0
            limit = self.lanes[lane].limit.current
            self._on_event("overload_began", cause, lane=lane, limit=limit)
        self._refused[lane] += 1
        self._refused_at[lane] = self._clock()

    def look(self) -> None:
        """Publish the state of the lanes, and notice the end of overloads: about each second."""
        now = self._clock()
        for lane in self.lanes.values():
            self._metrics.seen(lane.name, lane.limit.current, lane.in_flight, lane.waiting)
        for name, count in tuple(self._refused.items()):
            if now - self._refused_at[name] >= CALM_S:
                del self._refused[name]
                self._on_event("overload_ended", "no refusals", lane=name, refused=count)

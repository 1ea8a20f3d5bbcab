"""Follows the modes: since when each is on, told once when it changes."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from app.modes import MEANINGS, MODES, Facts, ModeName, causes
from tasks.events import OnEvent

HOLD_S = 5.0
# It comes and goes with single requests; told each time, it would be a flood of events.
_FICKLE: frozenset[ModeName] = frozenset({"database_busy"})


@dataclass(frozen=True)
class Mode:
    """A mode that is on; `since` in ISO 8601, UTC."""

    name: ModeName
    since: str
    cause: str
    meaning: str


class ModeMetrics:
    """Which modes are on, and for how long they have been."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._on = Gauge(
            "millrace_app_mode",
            "1 while the mode is on, in any of the replica's processes.",
            ("mode",),
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._seconds = Counter(
            "millrace_app_mode_seconds",
            "Seconds that the mode was on, summed over processes.",
            ("mode",),
            registry=registry,
        )
        for name in MODES:
            self._on.labels(name).set(0)
            self._seconds.labels(name)

    def show(self, name: str, *, is_on: bool) -> None:
        """Show whether a mode is on."""
        self._on.labels(name).set(is_on)

    def spent(self, name: str, seconds: float) -> None:
        """Count time in a mode."""
        self._seconds.labels(name).inc(seconds)


class ModeWatch:
    """`look` is called a few times a second, and by whoever wants to know; `facts` costs nothing.

    A fickle mode goes off only when it has not been seen for `hold_s`.
    """

    def __init__(
        self,
        facts: Callable[[], Facts],
        emit: OnEvent,
        metrics: ModeMetrics,
        *,
        hold_s: float = HOLD_S,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._facts = facts
        self._emit = emit
        self._metrics = metrics
        self._hold_s = hold_s
        self._monotonic = monotonic
        self._now = now
        self._lock = threading.Lock()
        self._on: dict[ModeName, Mode] = {}
        self._began: dict[ModeName, float] = {}
        self._seen: dict[ModeName, float] = {}
        self._looked = monotonic()

    def look(self) -> tuple[Mode, ...]:
        """Return the modes that are on now; tell of those that have changed."""
        # Told within the lock: else the end of a mode might be told before its beginning.
        with self._lock:
            facts = self._facts()
            found = causes(facts)
            now = self._monotonic()
            for name in self._on:
                self._metrics.spent(name, now - self._looked)
            self._looked = now
            for name in MODES:
                if name in found:
                    self._seen[name] = now
                    if name not in self._on:
                        self._enter(name, found[name], facts.reasons.get(name), now)
                elif name in self._on and self._is_over(name, now):
                    self._leave(name, now)
            return tuple(self._on[name] for name in MODES if name in self._on)

    def _is_over(self, name: ModeName, now: float) -> bool:
        return name not in _FICKLE or now - self._seen[name] >= self._hold_s

    def _enter(self, name: ModeName, cause: str, reason: str | None, now: float) -> None:
        since = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._on[name] = Mode(name, since, cause, MEANINGS[name])
        self._began[name] = now
        self._metrics.show(name, is_on=True)
        event = "replica_draining" if name == "draining" else "mode_on"
        self._emit(event, cause, mode=name, reason=reason or None)

    def _leave(self, name: ModeName, now: float) -> None:
        mode = self._on.pop(name)
        lasted_s = now - self._began.pop(name)
        self._metrics.show(name, is_on=False)
        self._emit("mode_off", f"was: {mode.cause}", mode=name, after_s=round(lasted_s, 3))

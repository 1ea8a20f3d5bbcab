"""One API replica as the balancer sees it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from lb.backend.connection import BackendConnection, open_connection
from lb.backend.health import (
    Health,
    HealthPolicy,
    Mode,
    State,
    after_answer,
    after_connection_failure,
    after_farewell,
    state_of,
)

_EWMA_WEIGHT = 0.1
# A peak of the latency has lost 63 % of what it was above the average after so many seconds.
_PEAK_DECAY_S = 10.0
# What a backend is given at once when it becomes ready; with less it might get nothing at all.
_SLOW_START_LEAST = 0.1


@dataclass(frozen=True)
class Check:
    """The latest check: when (ISO 8601), how long it took, and why it failed, if it did.

    `answered`: the backend said something, so it lives, whatever it said.  `undecided`: it had no
    time for the question, which is no sign of a fault.  `draining`: it says that it is being
    stopped.
    """

    at: str
    seconds: float
    failure: str | None
    answered: bool
    undecided: bool = False
    draining: bool = False


class Backend:
    """Address, condition, counts and idle connections of one replica.

    `answers[n]` counts answers of the class n00; `answers[0]` requests whose client went away.
    `latency_s` is a moving average of the time to the first byte, `peak_s` its recent peak.
    `weight` is the effective one: `full_weight`, or less while it starts slowly.  `listed_weight`:
    what the source says; the operator may have set another.  `due`: see lb.pick.
    """

    __slots__ = (
        "_max_idle", "_observed", "_on_change", "active", "answers", "check", "connect_failures",
        "connections", "due", "ejections", "failures", "full_weight", "health", "host", "id",
        "idle", "latency_s", "listed_weight", "mode", "peak_s", "port", "ready_since", "weight",
    )  # fmt: skip

    def __init__(
        self,
        host: str,
        port: int,
        on_change: Callable[["Backend"], None],
        *,
        weight: int,
        max_idle: int,
    ) -> None:
        self.host = host
        self.port = port
        self.id = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.mode: Mode = "ready"
        self.health = Health()
        self.weight: float = weight
        self.full_weight = self.listed_weight = weight
        self.due = 0.0
        self.ready_since: float | None = None
        self.active = 0
        self.connections = 0
        self.idle: list[BackendConnection] = []
        self.answers = [0] * 10
        self.failures = 0
        self.connect_failures = 0
        self.ejections = 0
        self.latency_s: float | None = None
        self.peak_s: float | None = None
        self.check: Check | None = None
        self._observed = False
        self._max_idle = max_idle
        self._on_change = on_change

    @property
    def state(self) -> State:
        """The condition in one word."""
        return state_of(self.mode, self.health)

    @property
    def last_check(self) -> str | None:
        """When the latest check was begun, in ISO 8601."""
        return None if self.check is None else self.check.at

    def set_health(self, health: Health) -> None:
        """Take a new health; where it is trusted no more, its idle connections are not either."""
        before = self.state
        if self.health.trusted and not health.trusted:
            self.ejections += not health.draining
            self.close_idle()
        self.health = health
        if self.state != before:
            self._on_change(self)

    def connection_failed(self, reason: str, policy: HealthPolicy, now: float) -> None:
        """Count a connection that could not be made or gave no answer; it may eject."""
        self.set_health(after_connection_failure(self.health, reason, policy, now))

    def draining(self, reason: str) -> None:
        """Send no new requests to a backend that says it is being stopped."""
        if not self.health.draining:
            self.set_health(after_farewell(self.health, reason))

    def answered(self) -> None:
        """End the row of failed connections."""
        self.set_health(after_answer(self.health))

    def set_mode(self, mode: Mode) -> None:
        """Do the operator's will; requests that the backend holds go on."""
        before = self.state
        self.mode = mode
        if mode != "ready":
            self.close_idle()
        if self.state != before:
            self._on_change(self)

    def effective_weight(self, now: float, slow_start_s: float) -> float:
        """Return the weight, or the part of it that it has reached since it became ready."""
        if not slow_start_s or self.ready_since is None:
            return self.full_weight
        reached = (now - self.ready_since) / slow_start_s
        return self.full_weight * min(1.0, max(_SLOW_START_LEAST, reached))

    def observe_latency(self, seconds: float) -> None:
        """Add a time to first byte to the average, and perhaps to the peak."""
        self._observed = True
        if self.latency_s is None:
            self.latency_s = seconds
        else:
            self.latency_s += _EWMA_WEIGHT * (seconds - self.latency_s)
        if self.peak_s is None or seconds > self.peak_s:
            self.peak_s = seconds

    def decay_peak(self, elapsed_s: float) -> None:
        """Let the peak sink to the average, or to nothing while no request is here.

        To nothing: one that was slow once must be tried again.  While requests wait here and none
        is answered, the peak stays.
        """
        if self.peak_s is None or self.latency_s is None or (self.active and not self._observed):
            return
        floor_s = self.latency_s if self._observed else 0.0
        self._observed = False
        self.peak_s = floor_s + (self.peak_s - floor_s) * math.exp(-elapsed_s / _PEAK_DECAY_S)

    async def connect(self, *, max_head: int, timeout_s: float) -> BackendConnection:
        """Return a new connection.  Raises OSError, whose text is the reason."""
        try:
            connection = await open_connection(
                self.host, self.port, max_head=max_head, timeout_s=timeout_s
            )
            if not connection.is_open:
                raise ConnectionError("it closed a new connection")
        except OSError as error:
            self.connect_failures += 1
            if str(error):
                raise
            raise TimeoutError(f"no connection within {timeout_s:g} s") from error
        self.connections += 1
        return connection

    def take_idle(self) -> BackendConnection | None:
        """Return an idle connection, the one used last: it is the least likely to have ended."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
            self.connections -= 1
        return None

    def put_idle(self, connection: BackendConnection, now: float) -> None:
        """Keep a connection whose request is over, if new requests may follow."""
        connection.release(now)
        if (
            self.mode == "ready"
            and self.health.trusted
            and connection.is_open
            and len(self.idle) < self._max_idle
        ):
            self.idle.append(connection)
        else:
            self.discard(connection)

    def discard(self, connection: BackendConnection) -> None:
        """Close a connection that isn't idle."""
        connection.close()
        self.connections -= 1

    def close_idle(self, before: float | None = None) -> None:
        """Close idle connections: all, or those idle since before a time; drop ended ones."""
        kept = []
        for connection in self.idle:
            if connection.is_open and before is not None and connection.idle_since >= before:
                kept.append(connection)
            else:
                self.discard(connection)
        self.idle = kept

"""One API replica as the balancer sees it."""

from collections.abc import Callable

from lb.backend.connection import BackendConnection
from lb.backend.health import Health, Mode, State, state_of

_EWMA_WEIGHT = 0.1


class Backend:
    """Address, condition, counts and idle connections of one replica.

    `answers[n]` counts answers of the class n00; `answers[0]` requests whose client went away.
    `latency_s` is a moving average of the time to the first byte.
    """

    __slots__ = (
        "_on_change", "active", "answers", "connect_failures", "connections", "ejections",
        "failures", "health", "host", "id", "idle", "last_check", "latency_s", "mode", "port",
    )  # fmt: skip

    def __init__(self, host: str, port: int, on_change: Callable[["Backend"], None]) -> None:
        self.host = host
        self.port = port
        self.id = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.mode: Mode = "ready"
        self.health = Health()
        self.active = 0
        self.connections = 0
        self.idle: list[BackendConnection] = []
        self.answers = [0] * 10
        self.failures = 0
        self.connect_failures = 0
        self.ejections = 0
        self.latency_s: float | None = None
        self.last_check: str | None = None
        self._on_change = on_change

    @property
    def state(self) -> State:
        """The condition in one word."""
        return state_of(self.mode, self.health)

    def set_health(self, health: Health) -> None:
        """Take a new health; an ejection closes the idle connections, which are suspect too."""
        before = self.state
        if self.health.trusted and not health.trusted:
            self.ejections += 1
            self.close_idle()
        self.health = health
        if self.state != before:
            self._on_change(self)

    def set_mode(self, mode: Mode) -> None:
        """Do the operator's will; requests that the backend holds go on."""
        before = self.state
        self.mode = mode
        if mode != "ready":
            self.close_idle()
        if self.state != before:
            self._on_change(self)

    def observe_latency(self, seconds: float) -> None:
        """Add a time to first byte to the average."""
        if self.latency_s is None:
            self.latency_s = seconds
        else:
            self.latency_s += _EWMA_WEIGHT * (seconds - self.latency_s)

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
        if self.state == "ready" and connection.is_open:
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

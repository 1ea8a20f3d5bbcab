"""psycopg's pool, changed in one way: when PostgreSQL is down, who waits learns it at once."""

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Self, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg_pool import ConnectionPool

T = TypeVar("T")
Row = tuple[str | None, ...]


class ConnectFailed(psycopg.OperationalError):
    """A connection was needed, and none could be made."""


class Connection(psycopg.Connection[Row]):
    """A connection that counts how long it was waited for, in `waited_s`.

    Its failure to come into being is reported to its pool.
    """

    waited_s = 0.0

    @classmethod
    def connect(cls, conninfo: str = "", *, report: Any = None, **kwargs: Any) -> Self:
        """Connect; tell `report` of a failure."""
        try:
            return super().connect(conninfo, **kwargs)
        except psycopg.Error as error:
            report(error)
            raise

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """Wait for PostgreSQL: for each chunk of rows once, so that counting costs nothing."""
        began = time.perf_counter()
        try:
            return super().wait(gen, *args, **kwargs)
        finally:
            self.waited_s += time.perf_counter() - began

    def counted(self, call: Callable[[], T]) -> T:
        """Call what waits for PostgreSQL past psycopg."""
        began = time.perf_counter()
        try:
            return call()
        finally:
            self.waited_s += time.perf_counter() - began


class FailFastPool(ConnectionPool[Connection]):
    """A pool that connects when somebody asks, and fails everybody who waits when it can't.

    `psycopg_pool` tries on in the background with growing pauses while clients wait for their
    full time.  Here an attempt is given up after its second failure, so that how often a dead
    server is tried is decided in one place: by the breaker in front of the pool.
    """

    def __init__(self, conninfo: str, *, kwargs: dict[str, Any], **options: Any) -> None:
        self._failure = "no connection was tried"
        self._made: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._made_lock = threading.Lock()
        super().__init__(
            conninfo,
            connection_class=Connection,
            kwargs={**kwargs, "report": self._remember_failure},
            configure=self._remember,
            reconnect_timeout=0.0,
            reconnect_failed=FailFastPool._fail_waiting,
            open=False,
            **options,
        )

    @property
    def has_live_connection(self) -> bool:
        """Whether some connection, idle or in use, isn't known to be broken."""
        with self._made_lock:
            return any(not connection.closed for connection in self._made)

    @property
    def last_failure(self) -> str:
        """What the last failed attempt to connect said."""
        return self._failure

    def _remember(self, connection: Connection) -> None:
        with self._made_lock:
            self._made.add(connection)

    def _remember_failure(self, error: psycopg.Error) -> None:
        self._failure = str(error).strip()

    @staticmethod
    def _fail_waiting(pool: ConnectionPool[Any]) -> None:
        # A server that is full of connections refuses new ones while ours still work: then whoever
        # waits gets one of ours soon.
        if not isinstance(pool, FailFastPool) or pool.has_live_connection:
            return
        with pool._lock:  # noqa: SLF001 - its own method; static only for the hook's signature
            waiting = list(pool._waiting)  # noqa: SLF001
            pool._waiting.clear()  # noqa: SLF001
        for client in waiting:
            client.fail(ConnectFailed(pool.last_failure))

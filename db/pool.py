"""psycopg's pool, changed in one way: when PostgreSQL is down, who waits learns it at once."""

import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.generators import execute
from psycopg.pq import Format
from psycopg.pq.abc import PGresult
from psycopg.waiting import Ready
from psycopg_pool import ConnectionPool

T = TypeVar("T")
Row = tuple[str | None, ...]


class ConnectFailed(psycopg.OperationalError):
    """A connection was needed, and none could be made."""


class Silence(psycopg.OperationalError):
    """PostgreSQL did not answer in the time that it had; the connection is closed."""


class Connection(psycopg.Connection[Row]):
    """A connection that waits only so long, and counts how long it did, in `waited_s`.

    `kept` are the statements of db/questions.py that the session has prepared.

    PostgreSQL ends by itself what takes too long.  A server that is stopped, or out of reach, does
    not even that: each reply must begin within `patience_s`, and all must be there by `answer_by`,
    of the monotonic clock, which another thread may move.  None: no limit.

    Whether it came into being is reported to its pool.
    """

    waited_s = 0.0
    patience_s: float | None = None
    answer_by: float | None = None
    kept: set[str]
    _ending: threading.Lock  # a cancel reads what the end of the connection frees

    @classmethod
    def connect(cls, conninfo: str = "", *, attempts: Any = None, **kwargs: Any) -> Self:
        """Connect, as one of `attempts`."""
        with attempts.one():
            connection = super().connect(conninfo, **kwargs)
        connection._ending = threading.Lock()  # noqa: SLF001 - its own class
        connection.kept = set()
        return connection

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """Wait for PostgreSQL: for each chunk of rows once, so that counting costs nothing.

        Raises Silence.
        """
        began = time.perf_counter()
        try:
            return super().wait(self._limited(gen), *args, **kwargs)
        finally:
            self.waited_s += time.perf_counter() - began

    def counted(self, call: Callable[[], T]) -> T:
        """Call what waits for PostgreSQL past psycopg."""
        began = time.perf_counter()
        try:
            return call()
        finally:
            self.waited_s += time.perf_counter() - began

    def simple(self, sql: bytes) -> PGresult:
        """Run statements in one round trip; return the last result, or the one that says no.

        As `PQexec` does, but that would wait for ever.
        """
        self.pgconn.send_query(sql)
        result: PGresult = self.wait(execute(self.pgconn))[-1]
        return result

    def extended(
        self,
        sql: bytes,
        values: Sequence[bytes | None],
        formats: Sequence[int] | None = None,
        result_format: int = Format.TEXT,
    ) -> PGresult:
        """Run one statement with values; return its result.  As `PQexecParams`, but limited."""
        self.pgconn.send_query_params(
            sql, values, param_formats=formats, result_format=result_format
        )
        result: PGresult = self.wait(execute(self.pgconn))[-1]
        return result

    def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """Stop the statement that runs, from any thread."""
        with self._ending:
            super().cancel_safe(timeout=timeout)

    def check_time(self) -> None:
        """Raise Silence, and close, when `answer_by` is over."""
        if self.answer_by is not None and time.monotonic() > self.answer_by:
            self._fall_silent()

    def _limited(self, gen: PQGen[T]) -> PQGen[T]:
        """Pass everything on; look at the time whenever nothing came for a tenth of a second."""
        end = None if self.patience_s is None else time.monotonic() + self.patience_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready == Ready.NONE:
                    if end is not None and time.monotonic() > end:
                        self._fall_silent()
                    self.check_time()
                wanted = gen.send(ready)
        except StopIteration as stopped:
            value: T = stopped.value
            return value

    def _fall_silent(self) -> None:
        # not close(): psycopg would call the connection closed by us, and not broken
        with self._ending:
            self.pgconn.finish()
        raise Silence("it does not answer")


class Attempts:
    """The attempts of a pool to connect: how long each took, or takes, and what the last one said.

    `made` is called with the seconds of each that succeeded.
    """

    def __init__(self, made: Callable[[float], None]) -> None:
        self._made = made
        self._lock = threading.Lock()
        self._running: dict[int, float] = {}
        self._numbers = itertools.count()
        self.failure = "no connection was tried"

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count an attempt, made within this context."""
        number, began = next(self._numbers), time.monotonic()
        with self._lock:
            self._running[number] = began
        try:
            yield
        except psycopg.Error as error:
            self.failure = str(error).strip()
            raise
        finally:
            with self._lock:
                del self._running[number]
        self._made(time.monotonic() - began)

    def longest_s(self) -> float:
        """Return for how long the oldest of those that run has run; 0.0 where none does."""
        with self._lock:
            began = min(self._running.values(), default=None)
        return 0.0 if began is None else time.monotonic() - began


class FailFastPool(ConnectionPool[Connection]):
    """A pool that connects when somebody asks, and fails everybody who waits when it can't.

    `psycopg_pool` tries on in the background with growing pauses while clients wait for their
    full time.  Here an attempt is given up after its second failure, so that how often a dead
    server is tried is decided in one place: by the breaker in front of the pool.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        kwargs: dict[str, Any],
        made: Callable[[float], None] = lambda _seconds: None,
        **options: Any,
    ) -> None:
        self._attempts = Attempts(made)
        self._made: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._made_lock = threading.Lock()
        super().__init__(
            conninfo,
            connection_class=Connection,
            kwargs={**kwargs, "attempts": self._attempts},
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
    def attempts(self) -> Attempts:
        """The attempts to connect."""
        return self._attempts

    def _remember(self, connection: Connection) -> None:
        with self._made_lock:
            self._made.add(connection)

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
            client.fail(ConnectFailed(pool.attempts.failure))

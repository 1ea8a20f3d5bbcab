"""The one way to PostgreSQL: a pool of connections behind the breaker."""

import select
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from db.adapters import text_adapters
from db.breaker import Breaker, BreakerState
from db.errors import (
    CheckoutTimeout,
    ConnectionLost,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    TooSlow,
)
from db.pool import ConnectFailed, Connection, FailFastPool, Silence
from db.sqlstate import is_infrastructure, sqlstate_of

# Settings survive a transaction only if it commits, and these locks survive even a rollback; both
# would meet the connection's next user.  One round trip, together with the rollback.
_CLEAN = b"RESET ALL; SELECT pg_catalog.pg_advisory_unlock_all()"
_ROLL_BACK_AND_CLEAN = b"ROLLBACK; " + _CLEAN

# What has PostgreSQL do nothing may take so long; so may its answer once it was to have ended a
# statement by itself.
_PROMPT_S = 2.0
# At a time, so that after an outage the pools of all processes fill as fast as they are asked, and
# not at once.
_CONNECTING = 2
_READ_ONLY = "25006"
_READ_ONLY_RETRY_S = 5.0

# A peer that vanished without a word is noticed in about half a minute rather than in hours.
_DEFAULTS = {
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}


@dataclass(frozen=True)
class DatabaseStatus:
    """What `/v1/status` shows of one pool.

    `size` connections are open or being opened, `in_use` of them not idle; `waiting` callers wait.
    """

    name: str
    max_size: int
    size: int
    in_use: int
    waiting: int
    breaker: BreakerState


class Database:
    """Connections to one database as one role, bounded in number and in waiting time.

    Nothing here needs PostgreSQL to be up: a pool opens without it, and recovers with it.  Open
    it after forking: connections must not be shared between processes.

    `session` holds server settings (name to value) that each connection starts with.  `answer_s`:
    how long a reply may take, for a server that no longer keeps limits by itself; None: for ever.
    `writes`: a server that takes no writes is none to stay connected to.
    """

    def __init__(
        self,
        url: str,
        *,
        breaker: Breaker,
        name: str,
        session: Mapping[str, str] | None = None,
        pool_size: int = 10,
        pool_wait_s: float = 5.0,
        max_waiting: int = 100,
        max_lifetime_s: float = 3600.0,
        connect_timeout_s: int = 5,
        answer_s: float | None = None,
        writes: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._breaker = breaker
        self._name = name
        self._pool_wait_s = pool_wait_s
        self._clock = clock
        self._answer_s = None if answer_s is None else answer_s + _PROMPT_S
        self._writes = writes
        conninfo = connection_string(url, name, session or {}, connect_timeout_s, writes=writes)
        self._has_other_hosts = has_several_hosts(conninfo)
        self._pool = FailFastPool(
            conninfo,
            made=breaker.took,
            num_workers=_CONNECTING,
            kwargs={
                "autocommit": True,
                "context": text_adapters(),
                "cursor_factory": psycopg.RawCursor,
                # a prepared plan fails once its table is altered ("cached plan must not change
                # result type"), which would then be the answer to a correct query
                "prepare_threshold": None,
            },
            name=name,
            min_size=1,
            max_size=pool_size,
            max_waiting=max_waiting,
            max_lifetime=max_lifetime_s,
        )

    @property
    def name(self) -> str:
        """What status calls it."""
        return self._name

    @property
    def breaker(self) -> Breaker:
        """The breaker in front of it."""
        return self._breaker

    def open(self) -> None:
        """Start the pool; returns at once, whether or not PostgreSQL is there."""
        self._pool.open()

    def close(self) -> None:
        """Close what is idle; connections in use are closed when they are given back."""
        self._pool.close()

    def __enter__(self) -> Self:
        """Open."""
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    @contextmanager
    def connection(self, timeout_s: float | None = None) -> Iterator[Connection]:
        """Lend a connection in autocommit mode; wait for it at most `timeout_s` or the pool's time.

        Result values are `str | None`, as PostgreSQL writes them; parameters (`$1` style) too.
        On leaving, an open transaction is rolled back and session settings and advisory locks are
        reset, in one round trip: callers that only read need not end their transaction.

        Raises CheckoutTimeout, DatabaseUnavailable, BreakerOpen, and for what happens within the
        block ConnectionLost, TooSlow and DatabaseReadOnly, which are DatabaseUnavailable too.  A
        psycopg.Error about the SQL itself passes through.
        """
        try:
            with self._lent(timeout_s) as connection:
                yield connection
        except DatabaseError as error:
            error.pool = error.pool or self._name  # the innermost: where it happened
            raise

    @contextmanager
    def _lent(self, timeout_s: float | None) -> Iterator[Connection]:
        wait_s = self._pool_wait_s if timeout_s is None else min(timeout_s, self._pool_wait_s)
        deadline = self._clock() + wait_s
        if self._breaker.state != "closed":
            # The trial is a question of its own: the caller's query may take half a minute, and
            # everybody else would be refused for that long.
            with self._breaker.guard():
                self._try(deadline, wait_s)
        with self._breaker.guard():
            connection = self._check_out(deadline, wait_s)
            connection.patience_s = self._answer_s
            try:
                yield connection
            except DatabaseError:
                raise  # another pool's, of which ours knows nothing
            except Exception as error:
                if self._writes and sqlstate_of(error) == _READ_ONLY:
                    raise self._read_only(connection) from error
                if _is_lost(connection, error):
                    raise self._lost(error) from error
                raise
            finally:
                self._give_back(connection)

    def status(self) -> DatabaseStatus:
        """Return what the pool is doing now; asks nothing of PostgreSQL."""
        stats = self._pool.get_stats()
        size = stats["pool_size"]
        return DatabaseStatus(
            name=self._name,
            max_size=stats["pool_max"],
            size=size,
            in_use=max(0, size - stats["pool_available"]),
            waiting=stats["requests_waiting"],
            breaker=self._breaker.state,
        )

    def _try(self, deadline: float, wait_s: float) -> None:
        connection = self._check_out(deadline, wait_s)
        began = self._clock()
        try:
            connection.execute("")
        except psycopg.Error as error:
            raise self._unavailable(str(error)) from error
        finally:
            self._give_back(connection)
        if self._clock() - began > 2 * self._breaker.rules.slow_s:  # two round trips
            raise TooSlow("PostgreSQL answers too slowly.", self._breaker.retry_after_s)

    def _check_out(self, deadline: float, wait_s: float) -> Connection:
        while True:
            try:
                connection = self._pool.getconn(timeout=deadline - self._clock())
            except TooManyRequests as error:
                raise CheckoutTimeout(f"{error}; try again later.", 0.0) from error
            except PoolTimeout as error:
                # of several hosts a dead one may be tried first, and take its whole time
                is_slow = self._pool.attempts.longest_s() > self._breaker.rules.slow_s
                if (is_slow and not self._has_other_hosts) or not self._pool.has_live_connection:
                    raise self._unavailable("it does not answer") from error
                raise CheckoutTimeout(
                    f"No connection became free within {wait_s:g} s, of at most "
                    f"{self._pool.max_size}.", wait_s,
                ) from error  # fmt: skip
            except (ConnectFailed, PoolClosed) as error:
                raise self._unavailable(str(error)) from error
            connection.patience_s, connection.answer_by = _PROMPT_S, None
            if _is_usable(connection):
                return connection
            connection.close()
            self._pool.putconn(connection)

    def _give_back(self, connection: Connection) -> None:
        connection.patience_s, connection.answer_by = _PROMPT_S, None
        began = self._clock()
        try:
            status = connection.pgconn.transaction_status
            if status == TransactionStatus.ACTIVE:
                # its caller left in the middle of a query: nobody wants the rest
                connection.cancel_safe(timeout=1.0)
                connection.close()
            elif status != TransactionStatus.UNKNOWN:
                idle = status == TransactionStatus.IDLE
                result = connection.simple(_CLEAN if idle else _ROLL_BACK_AND_CLEAN)
                self._breaker.took(self._clock() - began)
                if result.status != ExecStatus.TUPLES_OK:
                    connection.close()
                elif not connection.autocommit:
                    connection.set_autocommit(True)
        except Silence:
            self._breaker.took(self._clock() - began)
        except psycopg.Error:
            connection.close()
        finally:
            self._pool.putconn(connection)

    def _lost(self, error: Exception) -> DatabaseUnavailable:
        kind = TooSlow if isinstance(error, Silence) else ConnectionLost
        reason = f"PostgreSQL is not available: {str(error).strip()}"
        return kind(reason, self._breaker.retry_after_s)

    def _read_only(self, connection: Connection) -> DatabaseReadOnly:
        connection.close()
        if self._has_other_hosts:
            self._pool.drain()  # another host may be the one that takes writes by now
        return DatabaseReadOnly(
            "PostgreSQL takes no writes just now: it is a standby, or was made read-only.",
            _READ_ONLY_RETRY_S,
        )

    def _unavailable(self, reason: str) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            f"PostgreSQL is not available: {reason.strip()}", self._breaker.retry_after_s
        )


def connection_string(
    url: str,
    program: str,
    session: Mapping[str, str],
    connect_timeout_s: int,
    *,
    writes: bool = True,
) -> str:
    """Return libpq's connection string for `url` with our settings; what `url` says itself stays.

    `session` is passed as libpq `options`, after those of the URL, so it has the last word.  Of
    several hosts the primary is chosen: also to read, since a standby lags behind.
    """
    parameters = conninfo_to_dict(to_primary(url))
    given = {key: str(value) for key, value in parameters.items() if value is not None}
    if not writes and given.get("target_session_attrs") == "read-write":
        # the reader's sessions are read-only by their own settings, and would be refused everywhere
        given["target_session_attrs"] = "primary"
    options = [given.pop("options", "")]
    options += [f"-c {name}={_escaped(value)}" for name, value in session.items()]
    ours = {
        **_DEFAULTS,
        "application_name": f"millrace/{program}",
        "connect_timeout": str(connect_timeout_s),
        **given,
        "client_encoding": "UTF8",
        "options": " ".join(options).strip(),
    }
    return make_conninfo("", **ours)


def to_primary(url: str) -> str:
    """Return `url` so that of several hosts the one that takes writes is chosen."""
    if has_several_hosts(url) and "target_session_attrs" not in conninfo_to_dict(url):
        return make_conninfo(url, target_session_attrs="read-write")
    return url


def has_several_hosts(url: str) -> bool:
    """Tell whether `url` names more than one server."""
    given = conninfo_to_dict(url)
    return any("," in str(given.get(name) or "") for name in ("host", "hostaddr"))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _is_usable(connection: Connection) -> bool:
    """Tell whether an idle connection is still connected, without a round trip.

    PostgreSQL says nothing to an idle client except that it goes away (or that a setting changed),
    and the end of a connection makes its socket readable: a poll of about 1 µs finds out.
    """
    pgconn = connection.pgconn
    if pgconn.status != ConnStatus.OK:
        return False
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    if not poll.poll(0):
        return True
    try:
        connection.execute("")
    except psycopg.Error:
        return False
    return True


def _is_lost(connection: Connection, error: Exception) -> bool:
    sqlstate = sqlstate_of(error)
    return connection.broken if sqlstate is None else is_infrastructure(sqlstate)

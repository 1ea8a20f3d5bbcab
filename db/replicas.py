"""Read replicas: where they are, and how far behind."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict

from db.breaker import BreakerListener
from db.database import Database
from db.errors import DatabaseError
from db.reader import reader_database, reader_url
from db.replica_lag import PRIMARY_POSITION, REPLICA_POSITION, Position, PrimaryLog
from db.settings import DatabaseSettings

MEASURE_S = 1.0
PATIENCE_S = 2.0

_log = structlog.stdlib.get_logger("db.replicas")


@dataclass
class ReadReplica:
    """One replica: its pool, and what is known of it; written by the watch alone.

    It shows all that was committed before `covered_at`, of the monotonic clock; None: not known,
    and `problem` says why.
    """

    name: str
    database: Database
    covered_at: float | None = None
    problem: str | None = "not measured yet"


class ReplicaWatch:
    """Measures each replica's lag every second, in threads of their own: one may hang.

    While the primary is away nothing newer is learnt of it, so replicas grow older, as they should.
    """

    def __init__(
        self,
        primary: Database,
        replicas: Sequence[ReadReplica],
        *,
        measure_s: float = MEASURE_S,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, str | None], None] = lambda _replica, _problem: None,
    ) -> None:
        """`on_change` hears what a replica cannot be used for, or None when it can be again."""
        self._on_change = on_change
        self.replicas = tuple(replicas)
        self._primary = primary
        self._measure_s = measure_s
        self._clock = clock
        self._log_positions = PrimaryLog()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        rounds = [self._sample] if self.replicas else []
        rounds += [lambda one=one: self._measure(one) for one in self.replicas]  # type: ignore[misc]
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name="replica-lag", daemon=True)
            for one in rounds
        ]

    def start(self) -> None:
        """Open the pools and begin to measure; returns at once."""
        for replica in self.replicas:
            replica.database.open()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Measure no more, and close the pools."""
        self._stopped.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(self._measure_s)
        for replica in self.replicas:
            replica.database.close()

    def age_s(self, replica: ReadReplica) -> float | None:
        """Return how old what the replica shows now is at most; None: not known."""
        covered_at = replica.covered_at
        return None if covered_at is None else max(0.0, self._clock() - covered_at)

    def measure(self) -> None:
        """Measure once."""
        self._sample()
        for replica in self.replicas:
            self._measure(replica)

    def _sample(self) -> None:
        began = self._clock()
        try:
            row = _row(self._primary, PRIMARY_POSITION)
        except (DatabaseError, psycopg.Error) as error:
            _log.debug("the primary's position is not known", error=str(error))
            return
        if row is not None:
            system, timeline, inserted, flushed, delay_ms = row
            with self._lock:
                self._log_positions.add(
                    began,
                    Position.parse(system, timeline, inserted),
                    Position.parse(system, timeline, flushed),
                    float(delay_ms) / 1000,
                )

    def _measure(self, replica: ReadReplica) -> None:
        covered_at = None
        try:
            row = _row(replica.database, REPLICA_POSITION)
        except (DatabaseError, psycopg.Error) as error:
            problem: str | None = "it does not answer"
            _log.debug("replica not measured", replica=replica.name, error=str(error))
        else:
            problem = "it is no replica" if row is None else None
            if row is not None:
                with self._lock:
                    covered_at = self._log_positions.covered_at(Position.parse(*row))
                problem = None if covered_at is not None else "how far behind it is, is not known"
        if problem != replica.problem:
            self._on_change(replica.name, problem)
        replica.covered_at, replica.problem = covered_at, problem

    def _run(self, once: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            once()
            self._stopped.wait(self._measure_s)


def read_replicas(
    settings: DatabaseSettings, program: str, listener: Callable[[str], BreakerListener]
) -> list[ReadReplica]:
    """Return the replicas that the settings name, their pools not open yet.

    `listener` gives, for a replica's name, what its breaker's changes are told.
    """
    return [
        ReadReplica(
            name := _name(url),
            reader_database(
                settings,
                f"{program}-replica-{number}",
                [listener(name)],
                replica_url(settings, url),
            ),
        )
        for number, url in enumerate(settings.replica_urls, 1)
    ]


def replica_url(settings: DatabaseSettings, url: str) -> str:
    """Return how the reader reaches a replica: role, password and database are the reader's.

    They are the same there, as is all else in it, so of `url` only the way to the server counts.
    """
    readers = settings.reader_url or reader_url(settings.url, settings.reader_role)
    kept = {
        key: str(value) for key, value in conninfo_to_dict(readers).items()
        if value is not None and key not in ("host", "hostaddr", "port", "target_session_attrs")
    }  # fmt: skip
    theirs = {
        key: str(value) for key, value in conninfo_to_dict(url).items()
        if value is not None and key not in ("user", "password", "dbname")
    }  # fmt: skip
    return f"postgresql://?{urlencode({**kept, **theirs}, quote_via=quote, safe='')}"


def _name(url: str) -> str:
    given = conninfo_to_dict(url)
    host = given.get("host") or given.get("hostaddr") or "local"
    return f"{host}:{given['port']}" if given.get("port") else str(host)


def _row(database: Database, query: str) -> tuple[str, ...] | None:
    with database.connection(PATIENCE_S) as connection:
        connection.patience_s = PATIENCE_S
        row = connection.execute(query.encode()).fetchone()
    return None if row is None else tuple(value or "" for value in row)

"""Databases as a program has them, and a PostgreSQL that may be killed."""

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer
from db.migrate import migrate
from db.settings import DatabaseSettings

_numbers = itertools.count()


def kill_with_sessions(server: RunningServer) -> None:
    """Kill a PostgreSQL, and wait until its sessions have noticed: until then they still serve."""
    sessions = psutil.Process(server.pid).children(recursive=True)
    server.kill()
    _, alive = psutil.wait_procs(sessions, timeout=30)
    assert not alive


class MortalPostgres:
    """A PostgreSQL of one test module, to be stopped, killed and started again."""

    def __init__(self, server: EmbeddedPostgres, log: Path) -> None:
        self.url = server.url("postgres")
        self._server = server
        self._log = log
        self._running: RunningServer | None = None

    def start(self) -> None:
        """Start unless it runs."""
        if self._running is None:
            self._running = RunningServer(self._server.program(), self._log)
            self._running.start()

    def stop(self) -> None:
        """Shut down in order: sessions are told."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def kill(self) -> None:
        """End the server process at once, and wait until its sessions are gone, too."""
        if self._running is not None:
            kill_with_sessions(self._running)
            self._running = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all of its processes where they stand: connections stay, and nobody answers."""
        assert self._running is not None
        server = psutil.Process(self._running.pid)
        server.suspend()  # first, so that no session begins meanwhile
        stopped = [server, *server.children(recursive=True)]
        for process in stopped[1:]:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in reversed(stopped):
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Have it take no writes, of sessions that are there and of new ones."""
        self._alter("SET default_transaction_read_only = on", "on")
        try:
            yield
        finally:
            self._alter("RESET default_transaction_read_only", "off")

    def _alter(self, change: str, wanted: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as owner:
            owner.execute("SET default_transaction_read_only = off")
            owner.execute(f"ALTER SYSTEM {change}".encode())
            owner.execute("SELECT pg_reload_conf()")
        deadline = time.monotonic() + 30
        while one_value(self.url, "SHOW default_transaction_read_only") != wanted:
            assert time.monotonic() < deadline


def one_value(url: str, query: str) -> Any:
    """Return the first value of a query's first row, asked on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


@pytest.fixture(scope="module")
def mortal_server() -> Iterator[MortalPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    server = EmbeddedPostgres(place_for(folder), settings={"fsync": "off", "max_connections": "30"})
    server.initialise()
    mortal = MortalPostgres(server, folder / "postgres.log")
    yield mortal
    mortal.stop()
    place_for(folder).remove()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mortal(mortal_server: MortalPostgres) -> MortalPostgres:
    """The module's mortal PostgreSQL, running at the start of each test."""
    mortal_server.start()
    return mortal_server


@pytest.fixture
def settings(database_url: str) -> DatabaseSettings:
    """Settings of a migrated database with a table `t (n int)` of three rows."""
    settings = DatabaseSettings(url=database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 3) AS n")
        connection.execute("CREATE SEQUENCE s")
    migrate(database_url, settings)
    return settings


@pytest.fixture
def role(database_url: str) -> Iterator[str]:
    """A role name that nobody else uses; the role is dropped after the test, if it was made."""
    name = f"role_{os.getpid()}_{next(_numbers)}"
    yield name
    with psycopg.connect(database_url, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone():
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds, for at most 30 s."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(0.01)

    return wait

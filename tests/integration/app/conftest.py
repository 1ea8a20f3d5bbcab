"""Real replicas: gunicorn in processes of their own, on real servers."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from db.migrate import migrate
from db.reader import reader_session
from db.settings import DatabaseSettings
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
DEADLINE_S = 60.0
STOP_S = 45.0  # the replica's own limit is 35 s (MILLRACE_APP_GRACE_S)

Start = Callable[..., "Replica"]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds; fail after DEADLINE_S."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.02)


class Replica:
    """A replica, started; everything it printed is in `log`."""

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        application: str = "app.main:create_app()",
    ) -> None:
        self.port = free_port()
        self.home = folder / "home"
        self.temporary = folder / "tmp"
        for made in (folder, self.home, self.temporary):
            made.mkdir()
        self.log = folder / "log"
        argv = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "app" / "gunicorn.conf.py")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*argv, application],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.home),
                    "TMPDIR": str(self.temporary),
                    "MILLRACE_APP_LISTEN": f"127.0.0.1:{self.port}",
                    "MILLRACE_APP_PROBE_S": "0.05",
                    "MILLRACE_APP_DRAIN_S": "0",
                    **environment,
                },
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=DEADLINE_S)

    def answers(self) -> bool:
        """Tell whether it serves."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.http.get("/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def state(self) -> str:
        """Return the state of readiness."""
        body: Any = self.http.get("/health/ready").json()
        return str(body["status"])

    def stop(self) -> int:
        """End it in order; return its exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(STOP_S)


def _starter(folder: Path) -> Iterator[Start]:
    started: list[Replica] = []

    def start(application: str = "app.main:create_app()", **environment: str) -> Replica:
        replica = Replica(folder / str(len(started)), environment, application)
        started.append(replica)
        wait_until(replica.answers, "the replica answers")
        return replica

    yield start
    for replica in started:
        try:
            replica.stop()
        except subprocess.TimeoutExpired:
            replica.process.kill()
            replica.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a replica with the given environment; it is stopped after the test."""
    yield from _starter(tmp_path)


@pytest.fixture(scope="session")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose PostgreSQL and Redis are away."""
    folder = tmp_path_factory.mktemp("nowhere")
    return {
        "DATABASE_URL": f"postgresql://nobody@/nothing?host={folder}",
        "REDIS_URL": f"unix://{folder}/no.sock",
    }


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory, nowhere: dict[str, str]) -> Iterator[Replica]:
    """A replica whose PostgreSQL and Redis are away, for all tests that don't stop it."""
    for start in _starter(tmp_path_factory.mktemp("alone")):
        yield start(**nowhere)


@pytest.fixture
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    """An environment with a migrated database and a Redis."""
    migrate(database_url, DatabaseSettings(DATABASE_URL=database_url))
    return {"DATABASE_URL": database_url, "REDIS_URL": redis_url}


@pytest.fixture(scope="session")
def formats(
    tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres, valkey: EmbeddedValkey
) -> Iterator[Replica]:
    """A replica over an empty database, without workers, for tests that only read."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS formats")
        connection.execute("CREATE DATABASE formats")
    url = postgres.url("formats")
    migrate(url, DatabaseSettings(DATABASE_URL=url))
    for start in _starter(tmp_path_factory.mktemp("formats")):
        yield start(DATABASE_URL=url, REDIS_URL=valkey.url(1023))


@pytest.fixture
def owner(formats: Replica, postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    """A connection to the database of `formats`, with the settings of the reader's sessions."""
    session = reader_session(DatabaseSettings(url=postgres.url("formats")))
    options = " ".join(f"-c {name}={value}" for name, value in session.items())
    with psycopg.connect(postgres.url("formats"), autocommit=True, options=options) as connection:
        yield connection

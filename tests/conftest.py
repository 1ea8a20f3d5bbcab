"""Real servers for the tests: one PostgreSQL and one Valkey a session, cheap copies a test."""

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
import redis
import structlog

from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer
from cli.embedded.valkey import EmbeddedValkey
from tests.redis_server import given_server

# how long an example takes, to run or to be thought of, is the machine's affair
hypothesis.settings.register_profile(
    "millrace",
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture,
    ],
)  # fmt: skip
hypothesis.settings.load_profile("millrace")

# what threads of the tests' own programs log must not mix with what a command prints
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))

_numbers = itertools.count()


@pytest.fixture(scope="session")
def data_folder() -> Iterator[Path]:
    """A folder for the session's servers; short, since socket paths are."""
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    yield folder
    place_for(folder).remove()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(data_folder: Path) -> Iterator[EmbeddedPostgres]:
    """The session's PostgreSQL, running; data safety off, since it lives for minutes."""
    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    settings |= {"max_connections": "200", "max_prepared_transactions": "20"}
    settings |= {"wal_level": "logical"}
    server = EmbeddedPostgres(place_for(data_folder), settings=settings)
    server.initialise()
    with RunningServer(server.program(), data_folder / "postgres.log"):
        yield server


@pytest.fixture(scope="session")
def valkey(data_folder: Path) -> Iterator[EmbeddedValkey]:
    """The session's Valkey, running."""
    settings = {"appendonly": "no", "databases": "1024"}
    server = EmbeddedValkey(place_for(data_folder), settings=settings, server=given_server())
    with RunningServer(server.program(), data_folder / "valkey.log"):
        yield server


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL of a new, empty database, for its owner; dropped after the test."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield postgres.url(name)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def redis_url(valkey: EmbeddedValkey) -> Iterator[str]:
    """URL of an empty numbered database of the session's Valkey; emptied after the test."""
    # the last ones belong to fixtures that outlive a test, by their numbers from 1000 on
    url = valkey.url(next(_numbers) % 1000)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()

"""Replicas' services on one real PostgreSQL, called without a server between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from flask.testing import FlaskClient

from app.main import build_app, build_services, close
from app.replica_settings import ReplicaSettings
from app.services import Services
from db.migrate import migrate
from db.settings import DatabaseSettings

MakeReplica = Callable[[], Services]


@pytest.fixture
def make_replica(
    monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str
) -> Iterator[MakeReplica]:
    """Build a replica that stores digests; each has pools and a committing thread of its own."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    migrate(database_url, DatabaseSettings(url=database_url))
    with ExitStack() as stack:

        def make() -> Services:
            services = build_services(ReplicaSettings.from_environment())
            stack.callback(close, services)
            services.own_database.open()
            services.digests.commit.start()
            return services

        yield make


@pytest.fixture
def services(make_replica: MakeReplica) -> Services:
    return make_replica()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return build_app(services).test_client()


@pytest.fixture
def owner(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to see what is stored, and to disturb."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection

"""A replica that needs no server: everything real, nothing connected, no thread running."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient

from app.main import build_app, build_services, close
from app.replica_settings import ReplicaSettings
from app.services import Services


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    services = build_services(ReplicaSettings.from_environment())
    yield services
    close(services)


@pytest.fixture
def app(services: Services) -> Flask:
    return build_app(services)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def log() -> Iterator[list[Any]]:
    """What is logged while the test runs."""
    merge = [structlog.contextvars.merge_contextvars]
    with structlog.testing.capture_logs(processors=merge) as entries:
        yield entries

"""A replica around services that need no server."""

import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from app.main import build_app
from app.metrics import AppMetrics
from app.readiness import Readiness
from app.services import Services
from app.settings import AppSettings

Build = Callable[..., Flask]


@pytest.fixture
def settings() -> AppSettings:
    return AppSettings()


@pytest.fixture
def app(settings: AppSettings) -> Flask:
    metrics = AppMetrics(CollectorRegistry())
    return build_app(Services(settings, metrics, Readiness(()), time.monotonic()))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()

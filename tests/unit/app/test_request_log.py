"""Which requests are logged, and at which level."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from app.main import build_app
from app.services import Services


def lines_of(log: list[Any]) -> list[tuple[str, str, int]]:
    lines = [entry for entry in log if entry["event"] == "request"]
    return [(line["log_level"], line["path"], line["status"]) for line in lines]


def test_an_ordinary_request_is_logged_at_debug(client: FlaskClient, log: list[Any]) -> None:
    client.get("/health/live?secret=1")
    assert lines_of(log) == [("debug", "/health/live", 200)]
    assert "secret" not in str(log)


def test_a_request_that_fails_here_is_logged_at_warning(app: Flask, log: list[Any]) -> None:
    app.add_url_rule("/fail", "fail", lambda: Response(status=503))
    app.test_client().get("/fail")
    assert lines_of(log) == [("warning", "/fail", 503)]


def test_a_request_that_the_client_got_wrong_is_not(client: FlaskClient, log: list[Any]) -> None:
    client.get("/nothing")
    assert lines_of(log) == [("debug", "/nothing", 404)]


def test_not_being_ready_is_not_logged_at_every_question(
    client: FlaskClient, log: list[Any]
) -> None:
    client.get("/health/ready")
    assert lines_of(log) == [("debug", "/health/ready", 503)]


@pytest.mark.parametrize(("limit_s", "level"), [(0.0, "warning"), (60.0, "debug")])
def test_a_slow_request_is_logged_at_warning(
    services: Services, log: list[Any], limit_s: float, level: str
) -> None:
    settings = services.settings.model_copy(update={"app_slow_request_s": limit_s})
    build_app(replace(services, settings=settings)).test_client().get("/health/live")
    assert lines_of(log) == [(level, "/health/live", 200)]

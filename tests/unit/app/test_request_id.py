"""Request ids: taken, made, returned, logged."""

import re
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient


@pytest.mark.parametrize("given", ["abc", "0f.A_~-9", "x" * 128])
def test_a_valid_id_is_kept(client: FlaskClient, given: str) -> None:
    response = client.get("/health/live", headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a/b", 'a"b', "é", "a:b"])
def test_an_invalid_id_is_replaced(client: FlaskClient, given: str) -> None:
    response = client.get("/health/live", headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_every_request_without_one_gets_its_own(client: FlaskClient) -> None:
    ids = {client.get(path).headers["X-Request-ID"] for path in ("/health/live", "/nothing") * 5}
    assert len(ids) == 10


def test_every_line_about_a_request_carries_its_id(app: Flask, log: list[Any]) -> None:
    @app.get("/talk")
    def talk() -> str:
        structlog.stdlib.get_logger().info("hello")
        return ""

    app.test_client().get("/talk", headers={"X-Request-ID": "id-1"})
    assert {"hello", "request"} <= {entry["event"] for entry in log}
    assert {entry["request_id"] for entry in log} == {"id-1"}


def test_after_a_request_the_thread_forgets_its_id(client: FlaskClient) -> None:
    client.get("/health/live", headers={"X-Request-ID": "id-1"})
    assert structlog.contextvars.get_contextvars() == {}

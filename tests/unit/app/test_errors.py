"""Every error a client can cause is a problem document; what happens inside stays inside."""

import io
import json
from typing import Any, NoReturn

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

JSON = "application/json"


def problem_of(response: TestResponse) -> Any:
    assert response.content_type == "application/problem+json"
    problem = json.loads(response.data)
    assert problem["status"] == response.status_code
    assert problem["instance"] == response.headers["X-Request-ID"]
    return problem


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/hash/", "//v1/hash", "/v1/hash/x", "/%00"])
def test_an_unknown_path_is_a_404(client: FlaskClient, path: str) -> None:
    assert problem_of(client.get(path))["type"] == "/problems/not-found"


def test_a_wrong_method_is_a_405_that_names_the_right_ones(client: FlaskClient) -> None:
    response = client.delete("/v1/hash")
    assert problem_of(response)["type"] == "/problems/method-not-allowed"
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "line 1 column 0"),
        (b"{", "line 1 column 1"),
        (b'{\n "data": nope}', "line 2 column 11"),
        (b'{"data": "\xff"}', "line 1"),
        (b'{"data": "\\ud800"}', "line 1"),
        (b"[" * 10_000, "line 1"),
    ],
)
def test_what_is_not_json_is_a_400_that_says_where(
    client: FlaskClient, body: bytes, where: str
) -> None:
    problem = problem_of(client.post("/v1/hash", data=body, content_type=JSON))
    assert problem["type"] == "/problems/malformed-json"
    assert where in problem["detail"]


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_another_media_type_is_a_415(client: FlaskClient, media_type: str) -> None:
    response = client.post("/v1/hash", data=b'{"data": "a"}', content_type=media_type)
    problem = problem_of(response)
    assert problem["type"] == "/problems/unsupported-media-type"
    assert "Content-Type: application/json" in problem["detail"]
    assert response.headers["Accept-Post"] == JSON


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/x+json"])
def test_every_kind_of_json_is_taken(client: FlaskClient, media_type: str) -> None:
    response = client.post("/v1/hash", data=b'{"data": "a"}', content_type=media_type)
    assert response.status_code == 200


class _Untouchable(io.RawIOBase):
    def readinto(self, _buffer: Any) -> NoReturn:
        raise AssertionError("the body was read")


def test_a_body_announced_too_large_is_refused_unread(client: FlaskClient) -> None:
    environ = {"CONTENT_LENGTH": "50000000", "wsgi.input": _Untouchable()}
    response = client.post("/v1/hash", content_type=JSON, environ_overrides=environ)
    problem = problem_of(response)
    assert problem["type"] == "/problems/body-too-large"
    assert "1048576 bytes" in problem["detail"]


def test_a_body_of_unannounced_length_is_read_no_further_than_the_limit(
    client: FlaskClient,
) -> None:
    body = io.BytesIO(b" " * 2_000_000)
    response = client.post(
        "/v1/hash",
        input_stream=body,
        content_type=JSON,
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert problem_of(response)["status"] == 413
    assert body.tell() <= 1_048_576 + 1


@pytest.fixture
def failing_client(app: Flask) -> FlaskClient:
    """A client of a replica with a defect at `/fail`."""

    def fail() -> NoReturn:
        raise ZeroDivisionError("secret inside")

    app.add_url_rule("/fail", "fail", fail)
    return app.test_client()


def test_a_500_tells_nothing_of_the_inside(failing_client: FlaskClient) -> None:
    response = failing_client.get("/fail")
    assert problem_of(response)["type"] == "/problems/internal-error"
    assert b"secret" not in response.data
    assert b"Traceback" not in response.data


def test_the_log_of_a_500_has_the_error_and_the_request_id(
    failing_client: FlaskClient, log: list[Any]
) -> None:
    failing_client.get("/fail", headers={"X-Request-ID": "find-me"})
    [entry] = [entry for entry in log if entry["event"] == "unexpected error"]
    assert isinstance(entry["exc_info"], ZeroDivisionError)
    assert entry["request_id"] == "find-me"


def test_an_error_in_a_hook_is_a_problem_too(app: Flask) -> None:
    @app.after_request
    def fail(_response: Response) -> NoReturn:
        raise ZeroDivisionError("secret inside")

    response = app.test_client().get("/health/live")
    assert response.status_code == 500
    assert json.loads(response.data)["type"] == "/problems/internal-error"
    assert b"secret" not in response.data

"""The breaker's calls and its command, on a replica whose PostgreSQL is away."""

import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from click.testing import CliRunner
from flask import Flask

from app.main import build_app, build_services, close
from app.replica_settings import ReplicaSettings
from cli.main import millrace


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Say nothing."""


@pytest.fixture
def app(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("REDIS_URL", redis_url)
    services = build_services(ReplicaSettings.from_environment())
    services.breaker_watch.look()
    yield build_app(services)
    close(services)


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_operator_holds_the_breakers_and_lets_go(app: Flask) -> None:
    client = app.test_client()
    body = {"mode": "open", "reason": "a new disk", "for_s": 30}
    answer = client.put("/v1/breaker", json=body)
    assert answer.status_code == 200
    said = answer.get_json()
    assert (said["mode"], said["reason"]) == ("open", "a new disk")
    assert 20 < said["for_s"] <= 30
    watch = app.extensions["millrace"].breaker_watch
    watch.look()
    refused = client.post("/v1/query", json={"sql": "SELECT 1"})
    assert refused.status_code == 503
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    watch.look()
    (process,) = client.get("/v1/breaker").get_json()["processes"]
    assert (process["program"], process["mode"]) == ("app", "open")
    assert process["breakers"] == {"app": "open", "app-own": "open"}
    assert client.put("/v1/breaker", json={"mode": "auto"}).get_json()["mode"] == "auto"


@pytest.mark.parametrize(
    "body", [{}, {"mode": "shut"}, {"mode": "open", "for_s": 0}, {"mode": "open", "for_s": 1e9}]
)
def test_a_command_that_makes_no_sense_is_refused(app: Flask, body: dict[str, object]) -> None:
    assert app.test_client().put("/v1/breaker", json=body).status_code == 422


def test_the_command_line_does_the_same(url: str) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(millrace, ["breaker", *arguments, "--url", url])
        assert result.exit_code == 0, result.output
        return result.output

    assert "open for " in run("open", "--for-s", "60", "--reason", "tests")
    shown = run()
    assert "tests" in shown
    assert "app-own" in shown
    assert "closed for " in run("close")
    assert "auto\n" in run("auto")
    assert '"mode": "auto"' in run("--output", "json")
    refused = CliRunner().invoke(millrace, ["breaker", "--for-s", "5"])
    assert refused.exit_code == 2

"""The check of a running Prometheus, against one that is played."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitoring.check import main


class Played(ThreadingHTTPServer):
    """Answers as Prometheus does; `empty` expressions have no data, `refused` ones an error."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.targets = [target("lb", "up"), target("app", "up")]
        self.rules = [
            {"name": "requests:rate", "type": "recording", "health": "ok"},
            {"name": "TierAway", "type": "alerting", "health": "ok", "state": "inactive"},
        ]
        self.empty: set[str] = set()
        self.refused: set[str] = set()
        self.number = "1.5"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def target(job: str, health: str, error: str = "") -> dict[str, Any]:
    return {"labels": {"job": job, "instance": "one"}, "health": health, "lastError": error}


class Handler(BaseHTTPRequestHandler):
    """What it answers to each question."""

    server: Played

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        expr = parse_qs(parts.query).get("query", [""])[0]
        data: Any = {"activeTargets": self.server.targets}
        if parts.path == "/api/v1/rules":
            data = {"groups": [{"rules": self.server.rules}]}
        elif parts.path == "/api/v1/query_range":
            series = [{"values": [[0, "NaN"], [1, self.server.number]]}]
            data = {"result": [] if expr in self.server.empty else series}
        answer = {"status": "success", "data": data}
        if expr in self.server.refused:
            answer = {"status": "error", "error": "parse error"}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def prometheus() -> Iterator[Played]:
    with Played() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def checked(prometheus: Played, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["--url", prometheus.url])
    return code, capsys.readouterr().out


def test_all_is_well(prometheus: Played, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = checked(prometheus, capsys)
    lines = told.splitlines()
    assert code == 0
    assert lines[:3] == ["2 of 2 targets well", "1 of 1 recording rule well", "1 of 1 alert well"]
    assert lines[3].endswith(" dashboard queries well")
    assert lines[4:] == ["alerts that fire now: none"]


def test_what_is_not_well_is_listed(prometheus: Played, capsys: pytest.CaptureFixture[str]) -> None:
    prometheus.targets.append(target("worker", "down", "connection refused"))
    prometheus.empty = {"requests:rate", "millrace:requests:rate1m"}
    prometheus.refused = {"millrace:database_connections:ratio"}
    prometheus.rules.append(
        {"name": "Bad", "type": "alerting", "health": "err", "lastError": "no", "state": "firing"}
    )
    code, told = checked(prometheus, capsys)
    assert code == 1
    for line in (
        "  worker one: connection refused",
        "  requests:rate: no data",
        "  Bad: no",
        "  millrace-overview.json: Requests: millrace:requests:rate1m: no data",
        "  millrace-database.json: Connections: millrace:database_connections:ratio: "
        "refused: parse error",
        "alerts that fire now: Bad",
    ):
        assert line in told.splitlines()


def test_not_a_number_is_no_data(prometheus: Played, capsys: pytest.CaptureFixture[str]) -> None:
    prometheus.number = "NaN"
    code, told = checked(prometheus, capsys)
    assert code == 1
    assert "  requests:rate: no data" in told.splitlines()


def test_a_prometheus_that_watches_nothing_is_not_well(
    prometheus: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    prometheus.targets, prometheus.rules = [], []
    code, told = checked(prometheus, capsys)
    assert code == 1
    assert "  all of them: there is none" in told.splitlines()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:9090"])
def test_who_does_not_answer_is_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", url]) == 2
    assert url in capsys.readouterr().err

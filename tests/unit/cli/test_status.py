"""What `millrace status` makes of a replica's and a balancer's word."""

from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import millrace
from cli.status import rows, verdict

MODE = {"name": "no_redis", "since": "2026-01-01T00:00:00.000Z", "cause": "away", "meaning": "…"}


def found(state: str = "ready", *modes: dict[str, str]) -> dict[str, Any]:
    worker = {"name": "w-1", "draining": False, "busy": 1, "slots": 2, "lanes": ["query", "bulk"]}
    pool = {"in_use": 3, "max_size": 10, "waiting": 0}
    return {
        "replica": {"host": "h", "pid": 1, "state": state, "running_queries": 2},
        "modes": list(modes),
        "database": {"breaker": "closed", "pool": pool, "error": None},
        "workers": {"items": [worker], "error": None},
        "lanes": {"items": [{"name": "query", "length": 5, "pending": 2}], "error": None},
    }


def balancer(state: str = "ready") -> dict[str, Any]:
    backend = {"id": "127.0.0.1:1", "state": state, "reason": "it hangs", "active": 4}
    return {"backends": [backend], "limiter": {"mode": "fallback", "limited": 7}}


@pytest.mark.parametrize(
    ("document", "of_balancer", "code"),
    [
        (found(), balancer(), 0),
        (found(), None, 0),
        (found(), balancer("maintenance"), 0),
        (found(), balancer("ejected"), 1),
        (found("ready", MODE), balancer(), 1),
        (found("degraded", MODE), balancer(), 1),
        (found("unavailable"), balancer(), 2),
        (found("draining"), None, 2),
    ],
)
def test_the_exit_code_tells_ready_degraded_and_away(
    document: dict[str, Any], of_balancer: dict[str, Any] | None, code: int
) -> None:
    assert verdict(document, of_balancer) == code


def test_modes_workers_lanes_and_backends_are_shown() -> None:
    shown = list(rows(found("degraded", MODE), balancer("ejected")))
    assert shown == [
        ("replica", "h 1: degraded, 2 queries run"),
        ("mode", "no_redis since 2026-01-01T00:00:00.000Z: away"),
        ("database", "breaker closed, 3 of 10 connections in use, 0 wait"),
        ("worker", "w-1: 1 of 2 slots busy, query, bulk"),
        ("lane", "query: 5 tasks, 2 of them run"),
        ("backend", "127.0.0.1:1: ejected (it hangs), 4 requests"),
        ("limits", "fallback, 7 requests refused"),
    ]


@pytest.mark.parametrize("scaler", [None, "missing"])
def test_without_a_scaler_there_is_nothing_to_say_of_it(scaler: str | None) -> None:
    document = found() if scaler == "missing" else found() | {"scaler": None}
    assert "scaler" not in dict(rows(document, None))


def test_what_the_scaler_wants_is_shown_with_its_reason() -> None:
    scaler = {
        "state": "active", "driver": "docker", "wanted": 5, "running": 2, "min": 1, "max": 20,
        "reason": "load: much comes", "changed_at": None,
    }  # fmt: skip
    shown = dict(rows(found() | {"scaler": scaler}, None))["scaler"]
    assert shown == "active (docker): 2 of 5 wanted workers run (1 to 20); load: much comes"


def test_what_is_not_known_is_said_so() -> None:
    document = found()
    document["workers"] = {"items": [], "error": "Redis is away"}
    document["lanes"] = {"items": [], "error": "Redis is away"}
    shown = list(rows(document, None))
    assert ("workers", "Redis is away") in shown
    assert ("lanes", "Redis is away") in shown
    assert ("balancer", "its admin address does not answer") in shown
    document["workers"] = {"items": [], "error": None}
    assert ("workers", "none") in list(rows(document, None))


def test_where_nothing_answers_it_is_away() -> None:
    result = CliRunner().invoke(millrace, ["status", "--url", "http://127.0.0.1:1"])
    assert result.exit_code == 2
    assert "does not answer at http://127.0.0.1:1" in result.stderr

"""What the replica says of itself while nothing it needs is there."""

import os
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.checks import READ_ONLY, postgresql_check
from app.readiness import Check
from app.services import Services
from db.errors import CheckoutTimeout, DatabaseReadOnly


def test_the_process_is_live_whatever_is_away(client: FlaskClient) -> None:
    response = client.get("/health/live")
    assert (response.status_code, response.json) == (200, {"status": "live"})


def test_before_the_first_check_requests_are_not_welcome(client: FlaskClient) -> None:
    response = client.get("/health/ready")
    body: Any = response.json
    assert (response.status_code, body["status"]) == (503, "starting")
    assert set(body["checks"]) == {"postgresql", "postgresql_writes", "redis"}
    assert body["modes"] == []


@pytest.mark.parametrize(
    ("postgresql", "redis", "status", "word"),
    [
        (True, True, 200, "ready"),
        (True, False, 200, "degraded"),
        (False, True, 503, "unavailable"),
        (False, False, 503, "unavailable"),
    ],
)
def test_readiness_follows_the_checks(
    services: Services,
    client: FlaskClient,
    postgresql: bool,
    redis: bool,
    status: int,
    word: str,
) -> None:
    find(services, postgresql=postgresql, redis=redis)
    response = client.get("/health/ready")
    body: Any = response.json
    assert (response.status_code, body["status"]) == (status, word)
    assert body["checks"]["postgresql"]["ok"] is postgresql
    assert body["checks"]["redis"]["ok"] is redis


def test_a_busy_pool_is_no_reason_to_leave_the_balancer(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(**_: float) -> None:
        raise CheckoutTimeout("all 10 in use", 2.0)

    monkeypatch.setattr(services.database, "connection", busy)
    check = postgresql_check(services.database)
    services.readiness.check(check)
    assert services.readiness.problem("postgresql") is None


@pytest.mark.parametrize("path", ["/health/ready", "/v1/status"])
def test_the_modes_are_told_with_cause_and_meaning(
    services: Services, client: FlaskClient, path: str
) -> None:
    find(services, postgresql=True, redis=False)
    (mode,) = client.get(path).json["modes"]  # type: ignore[index]
    assert (mode["name"], mode["cause"]) == ("no_redis", "It fails in an unexpected way")
    assert datetime.fromisoformat(mode["since"]).tzinfo == UTC
    assert "run direct" in mode["meaning"]
    find(services, postgresql=True, redis=True)
    assert client.get(path).json["modes"] == []  # type: ignore[index]


def test_a_read_only_database_is_said_to_be_one_and_keeps_nobody_away(
    services: Services, client: FlaskClient
) -> None:
    def refuse() -> None:
        raise DatabaseReadOnly(READ_ONLY, 5.0)

    find(services, postgresql=True, redis=True)
    services.readiness.check(Check("postgresql_writes", essential=False, probe=refuse))
    response = client.get("/health/ready")
    body: Any = response.json
    assert (response.status_code, body["status"]) == (200, "degraded")
    assert [mode["name"] for mode in body["modes"]] == ["read_only_database"]


def test_status_answers_though_everything_is_away(client: FlaskClient) -> None:
    response = client.get("/v1/status")
    body: Any = response.json
    assert response.status_code == 200
    assert body["replica"]["pid"] == os.getpid()
    assert body["replica"]["state"] == "starting"
    assert body["replica"]["uptime_s"] >= 0
    assert body["database"]["breaker"] == "closed"
    assert body["database"]["pool"]["max_size"] == 10
    assert body["database"]["error"]
    assert body["workers"] == {"items": [], "error": "not checked yet"}
    assert body["lanes"] == {
        "items": [], "dead": None, "last_dead": None, "error": "not checked yet"
    }  # fmt: skip
    assert body["scaler"] is None


def test_status_names_what_redis_fails_with_since_the_last_check(
    services: Services, client: FlaskClient
) -> None:
    find(services, postgresql=True, redis=True)
    body: Any = client.get("/v1/status").json
    assert body["workers"]["error"] == "The task queue cannot be used"
    assert body["database"]["error"] is None


def find(services: Services, *, postgresql: bool, redis: bool) -> None:
    """Let the checks find what the arguments say."""

    def here() -> None:
        pass

    def away() -> None:
        raise ConnectionRefusedError

    checks = {"postgresql": postgresql, "postgresql_writes": postgresql, "redis": redis}
    for name, ok in checks.items():
        services.readiness.check(Check(name, essential=False, probe=here if ok else away))

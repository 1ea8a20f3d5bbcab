"""Readiness and status with a real PostgreSQL and a real Valkey that come and go."""

from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import redis

from tests.integration.app.conftest import Start, wait_until


@pytest.fixture
def sockets(environment: dict[str, str], tmp_path: Path) -> tuple[Path, Path, dict[str, str]]:
    """Links to the servers' sockets, which a test can cut, and the environment over them."""
    info = psycopg.conninfo.conninfo_to_dict(environment["DATABASE_URL"])
    postgres, valkey = tmp_path / "p", tmp_path / "v"
    postgres.symlink_to(str(info["host"]))
    path, _, database = environment["REDIS_URL"].removeprefix("unix://").partition("?")
    valkey.symlink_to(Path(path))
    url = f"postgresql://{info['user']}@/{info['dbname']}?host={quote(str(postgres), safe='')}"
    return postgres, valkey, {"DATABASE_URL": url, "REDIS_URL": f"unix://{valkey}?{database}"}


def test_it_is_ready_when_both_are_there(start: Start, environment: dict[str, str]) -> None:
    replica = start(**environment)
    wait_until(lambda: replica.state() == "ready", "ready")
    status = replica.http.get("/v1/status").json()
    assert status["database"]["error"] is None
    assert status["database"]["pool"]["size"] >= 1
    assert status["workers"] == {"items": [], "error": None}
    lanes = {lane["name"]: lane["length"] for lane in status["lanes"]["items"]}
    assert lanes == {"query": 0, "password": 0, "bulk": 0}


def test_without_postgresql_it_is_unavailable_and_comes_back_by_itself(
    start: Start, environment: dict[str, str], sockets: tuple[Path, Path, dict[str, str]]
) -> None:
    postgres, _, over_links = sockets
    replica = start(**over_links, MILLRACE_DB_BREAKER_RESET_MAX_S="1")
    wait_until(lambda: replica.state() == "ready", "ready")

    target = postgres.readlink()
    postgres.unlink()
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as owner:
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    wait_until(lambda: replica.state() == "unavailable", "unavailable")
    assert replica.http.get("/health/ready").status_code == 503

    def breaker() -> str:
        return str(replica.http.get("/v1/status").json()["database"]["breaker"])

    wait_until(lambda: breaker() == "open", "the breaker opens")
    refused = replica.http.post("/v1/query", json={"sql": "SELECT 1"})
    assert refused.status_code == 503
    assert refused.json()["type"] == "/problems/database-unavailable"
    assert int(refused.headers["Retry-After"]) >= 1
    assert str(postgres) not in refused.text

    postgres.symlink_to(target)
    wait_until(lambda: replica.state() == "ready", "ready again")
    wait_until(lambda: breaker() == "closed", "the breaker closes")


def test_without_redis_it_is_degraded_and_comes_back_by_itself(
    start: Start, environment: dict[str, str], sockets: tuple[Path, Path, dict[str, str]]
) -> None:
    _, valkey, over_links = sockets
    replica = start(**over_links)
    wait_until(lambda: replica.state() == "ready", "ready")

    target = valkey.readlink()
    valkey.unlink()
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        ours = client.client_info()["db"]  # other databases are of replicas that live longer
        for connection in client.client_list():
            if connection["name"] == "millrace-app" and int(connection["db"]) == ours:
                client.client_kill_filter(_id=connection["id"])
    wait_until(lambda: replica.state() == "degraded", "degraded")
    assert replica.http.get("/health/ready").status_code == 200
    status = replica.http.get("/v1/status").json()
    assert status["workers"]["error"] == "The task queue cannot be used"
    assert status["database"]["error"] is None

    valkey.symlink_to(target)
    wait_until(lambda: replica.state() == "ready", "ready again")

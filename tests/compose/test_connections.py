"""PostgreSQL's settings: its connections suffice for every pool, and its memory for both."""

import subprocess

import pytest

from tests.compose.compose_file import ROOT, services
from worker.keeping.main import OWN_CONNECTIONS, READING_CONNECTIONS
from worker.main import KEEPING_CONNECTIONS

SCRIPT = ROOT / "deploy" / "compose" / "postgres.sh"
KEEPER_CONNECTIONS = OWN_CONNECTIONS + READING_CONNECTIONS
NOTICES = 1  # a connection on which a replica's process listens


def settings(**changed: str) -> subprocess.CompletedProcess[str]:
    """Run `postgres.sh settings` with the compose file's environment."""
    given = {name: str(value) for name, value in services()["db"]["environment"].items()}
    return subprocess.run(
        ["sh", str(SCRIPT), "settings"],
        check=False, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin"} | given | changed,
    )  # fmt: skip


def parsed(**changed: str) -> dict[str, str]:
    done = settings(**changed)
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def pools(environment: dict[str, str]) -> int:
    """Add up what the programs' own code makes of the environment."""
    value = {name: int(text) for name, text in environment.items() if text.isdigit()}
    replica = value["MILLRACE_APP_PROCESSES"] * (
        value["MILLRACE_DB_POOL_SIZE"] + value["MILLRACE_DB_OWN_POOL_SIZE"] + NOTICES
    )
    bulk_slots = value["MILLRACE_WORKER_BULK_SLOTS"]
    worker = (
        value["MILLRACE_WORKER_SLOTS"]
        + bulk_slots
        + KEEPING_CONNECTIONS
        + max(1, bulk_slots) * value["MILLRACE_JOBS_CONNECTIONS"]
        + (KEEPER_CONNECTIONS if environment["MILLRACE_WORKER_KEEPER"] == "on" else 0)
    )
    return value["MILLRACE_MAX_APPS"] * replica + value["MILLRACE_MAX_WORKERS"] * worker


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"MILLRACE_MAX_APPS": "1", "MILLRACE_MAX_WORKERS": "1"},
        {"MILLRACE_APP_PROCESSES": "2", "MILLRACE_MAX_APPS": "3"},
        {"MILLRACE_WORKER_BULK_SLOTS": "0"},
        {"MILLRACE_WORKER_KEEPER": "off"},
        {"MILLRACE_WORKER_SLOTS": "4", "MILLRACE_JOBS_CONNECTIONS": "1"},
    ],
)
def test_all_pools_at_their_largest_fit(changed: dict[str, str]) -> None:
    environment = {**services()["db"]["environment"], **changed}
    found = parsed(**changed)
    kept_back = int(found["reserved_connections"]) + 3  # superusers' own three
    assert int(found["max_connections"]) - kept_back >= pools(environment)


def test_ten_replicas_and_twenty_workers_are_what_there_is_room_for() -> None:
    environment = services()["db"]["environment"]
    assert environment["MILLRACE_MAX_APPS"] == "10"
    assert environment["MILLRACE_MAX_WORKERS"] == "20"
    assert pools(environment) == 10 * (8 + 4 + 1) + 20 * (2 + 1 + 3 + 2 + 2)


def test_pools_that_would_take_the_memory_are_refused() -> None:
    done = settings(MILLRACE_MAX_APPS="100000")
    assert done.returncode == 1
    assert "raise MILLRACE_DB_MEMORY, or lower MILLRACE_MAX_APPS" in done.stderr


@pytest.mark.parametrize("wrong", ["", "many", "-1", "2.5"])
def test_a_pool_of_no_size_is_refused(wrong: str) -> None:
    done = settings(MILLRACE_DB_POOL_SIZE=wrong)
    assert done.returncode == 1
    assert "MILLRACE_DB_POOL_SIZE must be a whole number" in done.stderr


def test_settings_of_memory_leave_room_for_connections() -> None:
    found = parsed()
    shared, cached = int(found["shared_buffers"][:-2]), int(found["effective_cache_size"][:-2])
    assert shared <= cached / 3 + 1
    assert 4 <= int(found["work_mem"][:-2]) <= 64

"""What clients see while something is away, and what is told of it, with real servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tests.integration.app.conftest import Replica, Start, wait_until
from tests.integration.worker.conftest import worker_environment

SUM = {"sql": "SELECT sum(n) FROM t"}
JOB = {"kind": "hash_query", "parameters": {"sql": "SELECT n FROM t"}}
PASSWORD = {"password": "secret", "scheme": "bcrypt", "log_rounds": 4}


class Cut:
    """The way to PostgreSQL, which a test can cut."""

    def __init__(self, url: str, folder: Path) -> None:
        info = psycopg.conninfo.conninfo_to_dict(url)
        self._owner_url = url
        self._target = str(info["host"])
        self._link = folder / "p"
        self._link.symlink_to(self._target)
        host = quote(str(self._link), safe="")
        self.url = f"postgresql://{info['user']}@/{info['dbname']}?host={host}"

    def away(self) -> None:
        """Let nobody connect, and end who is connected."""
        self._link.unlink()
        self.disconnect()

    def disconnect(self) -> None:
        with psycopg.connect(self._owner_url, autocommit=True) as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def back(self) -> None:
        self._link.symlink_to(self._target)


@pytest.fixture
def cut(environment: dict[str, str], tmp_path: Path) -> Cut:
    """The way to a migrated database with a table `t`."""
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as owner:
        owner.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (10), (20)")
        owner.execute("GRANT SELECT ON t TO millrace_reader")
    return Cut(environment["DATABASE_URL"], tmp_path)


@pytest.fixture
def no_redis(tmp_path: Path) -> str:
    return f"unix://{tmp_path}/no.sock"


def modes(replica: Replica) -> list[str]:
    body: Any = replica.http.get("/health/ready").json()
    return [mode["name"] for mode in body["modes"]]


def told(replica: Replica, **facts: str) -> list[dict[str, Any]]:
    """Return the events of the log that have these facts."""
    lines = [json.loads(line) for line in replica.log.read_text().splitlines() if line[:1] == "{"]
    return [line for line in lines if "event" in line and line.items() >= facts.items()]


def metric(replica: Replica, series: str) -> float:
    lines = replica.http.get("/metrics").text.splitlines()
    (value,) = [line.rpartition(" ")[2] for line in lines if line.startswith(f"{series} ")]
    return float(value)


def refused(response: Any) -> bool:
    """Tell whether it is an honest 503 that says when to come again."""
    return response.status_code == 503 and int(response.headers["Retry-After"]) >= 1


@contextmanager
def running_worker(environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "worker"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_without_redis_queries_and_jobs_are_done_all_the_same(
    start: Start, environment: dict[str, str], cut: Cut, no_redis: str
) -> None:
    replica = start(DATABASE_URL=cut.url, REDIS_URL=no_redis)
    wait_until(lambda: replica.state() == "degraded", "degraded")
    wait_until(lambda: modes(replica) == ["no_redis"], "Redis is missed")
    answer = replica.http.post("/v1/query", json=SUM).json()
    assert (answer["rows"], answer["plan"]["mode"]) == ([[30]], "direct")
    wait_until(
        lambda: replica.http.post("/v1/query", json=SUM).json()["plan"]["cache"] == "hit",
        "PostgreSQL keeps the answer",
    )
    assert refused(replica.http.post("/v1/passwords/hash", json=PASSWORD))
    accepted = replica.http.post("/v1/jobs", json=JOB)
    assert accepted.status_code == 202
    short = {"MILLRACE_JOBS_POLL_S": "0.2", "MILLRACE_JOBS_RECONCILE_S": "0.2"}
    with running_worker(worker_environment(environment["DATABASE_URL"], no_redis) | short):
        job = accepted.headers["Location"]
        wait_until(
            lambda: replica.http.get(job).json()["state"] == "done", "the job is done without Redis"
        )
    assert len(told(replica, event="mode_on", mode="no_redis")) == 1
    assert metric(replica, 'millrace_app_mode{mode="no_redis"}') == 1
    assert metric(replica, 'millrace_app_mode_seconds_total{mode="no_redis"}') > 0


def test_without_postgresql_stale_answers_are_marked_and_all_else_is_refused_or_works(
    start: Start, environment: dict[str, str], cut: Cut
) -> None:
    replica = start(
        DATABASE_URL=cut.url, REDIS_URL=environment["REDIS_URL"],
        MILLRACE_CACHE_TTL_S="0.2", MILLRACE_DB_BREAKER_RESET_MAX_S="1",
    )  # fmt: skip
    wait_until(lambda: replica.state() == "ready", "ready")
    wait_until(lambda: modes(replica) == ["no_workers"], "nobody works for it")
    assert replica.http.post("/v1/query", json=SUM).json()["stale"] is False

    cut.away()
    wait_until(lambda: "no_database" in modes(replica), "PostgreSQL is missed")
    wait_until(lambda: bool(told(replica, event="breaker_opened", pool="app")), "the breaker opens")

    def stale() -> Any:
        return replica.http.post("/v1/query", json=SUM)

    wait_until(lambda: bool(stale().json().get("stale")), "the answer is older than its time")
    old = stale()
    assert (old.status_code, old.json()["rows"]) == (200, [[30]])
    assert old.json()["age_s"] > 0.2
    assert int(old.headers["Age"]) <= old.json()["age_s"]
    assert old.headers["Cache-Status"].startswith("millrace; hit")
    assert "Warning" not in old.headers
    assert refused(replica.http.post("/v1/query", json={**SUM, "max_staleness_s": 0.1}))
    assert refused(replica.http.post("/v1/query", json={"sql": "SELECT count(*) FROM t"}))
    assert refused(replica.http.post("/v1/jobs", json=JOB))
    assert refused(replica.http.post("/v1/hash", json={"data": "x", "store": True}))
    hashed = replica.http.post("/v1/hash", json={"data": "x"}).json()
    assert hashed["digest"].startswith("2d711642")

    cut.back()
    wait_until(lambda: modes(replica) == ["no_workers"], "PostgreSQL is back")
    assert replica.http.get("/v1/jobs").json()["jobs"] == []
    assert replica.http.get(f"/v1/digests/sha256/{hashed['digest']}").status_code == 404
    assert replica.http.post("/v1/query", json=SUM).json()["stale"] is False
    # on a machine that hangs it may be missed once more, and is told of as well
    changes = [line["event"] for line in told(replica, mode="no_database")]
    assert changes[:2] == ["mode_on", "mode_off"]
    assert all(one != other for one, other in pairwise(changes))
    assert told(replica, event="mode_on", mode="no_database")[0]["reason"]
    wait_until(lambda: bool(told(replica, event="breaker_closed", pool="app")), "it is closed")


def test_with_nothing_at_all_hashing_works_and_every_mode_says_why(alone: Replica) -> None:
    wait_until(lambda: modes(alone) == ["no_database", "no_redis", "no_cache"], "all are missed")
    body: Any = alone.http.get("/v1/status").json()
    assert all(mode["cause"] and mode["meaning"] for mode in body["modes"])
    assert alone.http.post("/v1/hash", json={"data": "x"}).status_code == 200
    for path, request in {
        "/v1/query": {"sql": "SELECT 1"}, "/v1/jobs": JOB, "/v1/passwords/hash": PASSWORD,
    }.items():  # fmt: skip
        assert refused(alone.http.post(path, json=request)), path


def test_a_read_only_postgresql_answers_queries_and_is_said_to_be_one(
    start: Start, environment: dict[str, str], cut: Cut
) -> None:
    replica = start(**environment)
    wait_until(lambda: replica.state() == "ready", "ready")
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as changer:
        name = changer.info.dbname
        changer.execute(
            f"ALTER DATABASE \"{name}\" SET default_transaction_read_only = 'on'".encode()
        )
        cut.disconnect()
    wait_until(lambda: "read_only_database" in modes(replica), "it takes no changes")
    assert refused(replica.http.post("/v1/jobs", json=JOB))
    assert refused(replica.http.post("/v1/hash", json={"data": "x", "store": True}))
    assert replica.http.get("/health/ready").status_code == 200
    assert replica.http.post("/v1/query", json=SUM).json()["rows"] == [[30]]
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as changer:
        changer.execute("SET default_transaction_read_only = 'off'")
        changer.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
        cut.disconnect()
    wait_until(lambda: "read_only_database" not in modes(replica), "it takes changes again")


def test_a_serving_process_that_dies_is_told_by_its_successor(
    start: Start, nowhere: dict[str, str]
) -> None:
    replica = start(**nowhere)
    assert not told(replica, event="process_restarted")
    os.kill(replica.http.get("/v1/status").json()["replica"]["pid"], signal.SIGKILL)
    wait_until(lambda: bool(told(replica, event="process_restarted")), "another takes its place")
    wait_until(replica.answers, "it serves")
    assert len(told(replica, event="process_restarted")) == 1


def test_a_draining_replica_says_so_once(start: Start, nowhere: dict[str, str]) -> None:
    replica = start(**nowhere, MILLRACE_APP_DRAIN_S="60")
    replica.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "draining" in modes(replica), "it drains")
    assert replica.http.get("/health/ready").status_code == 503
    assert len(told(replica, event="replica_draining")) == 1
    replica.process.send_signal(signal.SIGINT)
    replica.process.wait(30)

"""Both kinds from the request to the rows: a replica, workers as processes, and what kills them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from db.migrate import migrate
from db.settings import DatabaseSettings
from tests.integration.app.conftest import Replica, _starter, wait_until

ROWS = 60_000


class Stack:
    """A replica, and workers that can be started and killed."""

    def __init__(self, replica: Replica, environment: dict[str, str], url: str) -> None:
        self.http = replica.http
        self._environment = environment
        self._workers: list[subprocess.Popen[bytes]] = []
        self.database = psycopg.connect(url, autocommit=True)

    def worker(self) -> subprocess.Popen[bytes]:
        """Start one."""
        worker = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            env={**os.environ, **self._environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._workers.append(worker)
        return worker

    def post(self, kind: str, **parameters: Any) -> Any:
        """Ask for a job."""
        return self.http.post("/v1/jobs", json={"kind": kind, "parameters": parameters})

    def submit(self, kind: str, **parameters: Any) -> str:
        """Ask for a job; return its place."""
        response = self.post(kind, **parameters)
        assert response.status_code == 202, response.text
        return str(response.headers["Location"])

    def job(self, place: str) -> dict[str, Any]:
        """Return what is told of a job."""
        found: dict[str, Any] = self.http.get(place).json()
        return found

    def wait(self, place: str, state: str = "done") -> dict[str, Any]:
        """Wait for a state."""
        wait_until(lambda: self.job(place)["state"] == state, f"{state}: {self.job(place)}")
        return self.job(place)

    def rows(self, place: str, stream: str) -> list[list[Any]]:
        """Return all rows of a stream."""
        lines = self.http.get(
            f"{place}/output/{stream}", headers={"Accept": "application/x-ndjson"}
        )
        assert lines.status_code == 200, lines.text
        parsed = [json.loads(line) for line in lines.text.splitlines()]
        return [row for row in parsed if isinstance(row, list)]

    def end(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.database.close()


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres, valkey: EmbeddedValkey
) -> Iterator[Stack]:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS tables WITH (FORCE)")
        connection.execute("CREATE DATABASE tables")
    url = postgres.url("tables")
    migrate(url, DatabaseSettings(url=url))
    environment = {
        "DATABASE_URL": url, "REDIS_URL": valkey.url(1021), "MILLRACE_QUEUE_BLOCK_S": "0.1",
        "MILLRACE_JOBS_LEASE_S": "60", "MILLRACE_JOBS_RENEW_S": "1",
        "MILLRACE_JOBS_RECONCILE_S": "0.1", "MILLRACE_JOBS_POLL_S": "0.3",
        "MILLRACE_JOBS_DATABASES": f'{{"copy": "{url}"}}',
    }  # fmt: skip
    for start in _starter(tmp_path_factory.mktemp("tables")):
        stack = Stack(start(**environment), environment, url)
        for name in ("l", "r"):
            stack.database.execute(f"CREATE TABLE {name} (n bigint PRIMARY KEY, a int, label text)")
            stack.database.execute(
                f"INSERT INTO {name} SELECT n * 1000, n % 7, repeat('x', 300) || n "
                f"FROM generate_series(1::bigint, {ROWS}) AS n"
            )
            stack.database.execute(f"GRANT SELECT ON {name} TO millrace_reader")
        stack.database.execute("UPDATE r SET a = 99 WHERE n % 7000000 = 0")
        stack.database.execute("DELETE FROM r WHERE n BETWEEN 20000000 AND 20999000")
        stack.database.execute("ANALYZE l, r")
        yield stack
        stack.end()


DIFFERENT = {str(n) for n in range(7_000_000, ROWS * 1000 + 1, 7_000_000)}
ONLY_LEFT = {str(n) for n in range(20_000_000, 21_000_000, 1000)}


HELD = (
    "SELECT count(*) > 0 FROM millrace.job_tasks "
    "WHERE job_id = %s AND state = 'leased' AND lease_until > now()"
)
AT_WORK = (
    "SELECT count(*) FILTER (WHERE state = 'active') = 0, count(*) = 0 FROM pg_stat_activity "
    "WHERE application_name ^@ 'millrace/worker' AND datname = current_database()"
)


def killing(stack: Stack, place: str) -> None:
    """Kill two workers, each while it holds a task; then let others finish."""
    job_id = place.rpartition("/")[2]

    def is_held() -> bool:
        return stack.database.execute(HELD, [job_id]).fetchone() == (True,)

    def asks_nothing() -> bool:
        return stack.database.execute(AT_WORK).fetchall()[0][0]  # type: ignore[no-any-return]

    def is_gone() -> bool:
        return stack.database.execute(AT_WORK).fetchall()[0][1]  # type: ignore[no-any-return]

    def is_stopped(worker: subprocess.Popen[bytes]) -> bool:
        """Stop it, and let it go on should it have finished its task just before."""
        if not is_held():
            return False
        worker.send_signal(signal.SIGSTOP)
        wait_until(asks_nothing, "its statements are over")
        if is_held():
            return True
        worker.send_signal(signal.SIGCONT)
        return False

    for _ in range(2):
        worker = stack.worker()
        wait_until(partial(is_stopped, worker), "a task is held")
        worker.kill()
        worker.wait()
        wait_until(is_gone, "its sessions are over")
        # as if its lease had taken its time
        stack.database.execute(
            "UPDATE millrace.job_tasks SET lease_until = now() WHERE state = 'leased'"
        )
    plain(stack, place)
    lost = "SELECT sum(attempt) > count(*) FROM millrace.job_tasks WHERE job_id = %s"
    assert stack.database.execute(lost, [job_id]).fetchone() == (True,)


def plain(stack: Stack, place: str) -> None:
    worker = stack.worker()
    stack.wait(place)
    worker.kill()
    worker.wait()


@pytest.mark.parametrize(
    ("run", "database"),
    [(plain, "copy"), (killing, None)],
    ids=["two databases", "workers are killed"],
)
def test_differences_are_found_once_each(
    stack: Stack, run: Callable[[Stack, str], None], database: str | None
) -> None:
    right = {"table": "r", "database": database}
    place = stack.submit("diff_tables", left={"table": "l"}, right=right)
    run(stack, place)
    summary = stack.job(place)["summary"]
    found = stack.rows(place, "result")
    by_side = {
        side: [row[1]["n"] for row in found if row[0] == side]
        for side in ("different", "only_left", "only_right")
    }
    assert sorted(by_side["different"]) == sorted(DIFFERENT - ONLY_LEFT)
    assert sorted(by_side["only_left"]) == sorted(ONLY_LEFT)
    assert by_side["only_right"] == []
    assert summary["rows"] == {"left": ROWS, "right": ROWS - len(ONLY_LEFT)}
    assert summary["different"] == len(DIFFERENT - ONLY_LEFT)


def test_a_killed_workers_checksum_is_made_anew(stack: Stack) -> None:
    sums = set()
    for run in (killing, plain):
        place = stack.submit("checksum_table", table="l")
        run(stack, place)
        summary = stack.job(place)["summary"]
        assert summary["rows"] == ROWS
        root = stack.rows(place, "ranges")[0]
        assert root[3:] == [ROWS, summary["checksum"]]
        sums.add(summary["checksum"])
    assert len(sums) == 1


@pytest.mark.parametrize(
    ("kind", "parameters", "pointer", "reason"),
    [
        ("checksum_table", {"table": "nowhere"}, "table", "no table or view nowhere"),
        ("checksum_table", {"table": "l", "query": "SELECT 1"}, "", "Either table or query"),
        ("checksum_table", {"query": "SELECT 1 AS n"}, "", "A query needs a key"),
        ("checksum_table", {"query": "DELETE FROM l", "key": ["n"]}, "query", "only queries"),
        ("checksum_table", {"query": "SELECT n FROM l", "key": ["m"]}, "key", "no column m"),
        ("checksum_table", {"table": "l", "columns": ["n", "x"]}, "columns", "no column x"),
        ("checksum_table", {"table": "l", "database": "far"}, "database", "called far"),
        ("checksum_table", {"table": "millrace.jobs"}, "table", "no table or view"),
        ("checksum_table", {"table": "pg_class"}, "table", "no table or view"),
        ("checksum_table", {"table": "l", "where": "true) OR (true"}, "where", "closes"),
        ("checksum_table", {"table": "l", "where": "1; SELECT 1"}, "where", "more than"),
        ("checksum_table", {"table": "l", "where": "pg_sleep(1) IS NULL"}, "where", "pg_sleep"),
        ("checksum_table", {"table": "l", "where": "m = 1"}, "where", "column \"m\""),
        ("checksum_table", {"table": "l", "where": "n = $1"}, "where", "parameters"),
        ("diff_tables", {"left": {"table": "l"}, "right": {"table": "x"}}, "right/table", "x"),
        ("diff_tables", {"left": {"table": "l"}, "right": {"table": "r"}, "limit": -1}, "limit",
         "greater"),
        ("diff_tables", {"left": {"table": "l"}, "right": {"table": "r", "database": "far"}},
         "right/database", "called far"),
        ("diff_tables", {"left": {"table": "l"}, "right": {"table": "r"}, "key": ["n", "x"]},
         "key", "no column x"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(
    stack: Stack, kind: str, parameters: dict[str, Any], pointer: str, reason: str
) -> None:
    response = stack.post(kind, **parameters)
    assert response.status_code == 422, response.text
    (error,) = response.json()["errors"]
    assert error["pointer"] == f"/parameters/{pointer}".rstrip("/")
    assert reason in error["reason"]
    assert error["remedy"]


def millrace(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "diff", *arguments, "--url", str(stack.http.base_url)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip


def test_the_command_line_tells_of_differences_as_diff_does(stack: Stack) -> None:
    worker = stack.worker()
    same = millrace(stack, "l", "l")
    assert same.returncode == 0, same.stderr
    assert same.stdout == ""
    assert "equal" in same.stderr
    few = ["--column", "a", "--where", "n <= 21000000"]
    table = millrace(stack, "l", "copy:r", "--limit", "3", *few)
    assert table.returncode == 1, table.stderr
    assert len(table.stdout.splitlines()) == 3
    assert "1,000 only left, 0 only right, 3 different" in table.stderr
    lines = millrace(stack, "l", "r", "--output", "json", "--limit", "2000", *few)
    assert lines.returncode == 1
    *rows, last = [json.loads(line) for line in lines.stdout.splitlines()]
    assert len(rows) == 1003
    assert {row["side"] for row in rows} == {"only_left", "different"}
    assert last["summary"]["different"] == 3
    refused = millrace(stack, "l", "nowhere")
    assert refused.returncode == 2
    assert "no table or view nowhere" in refused.stderr
    worker.kill()
    worker.wait()

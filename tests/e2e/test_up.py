"""`millrace up` as a person runs it: every program for real."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.embedded.wipe import wipe
from tests.e2e.running_stack import RunningStack, left_behind, own_environment, until
from tests.ports import free_port

pytestmark = pytest.mark.e2e


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder with a short path, and all that lies in it and for it removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="mr-") as outer:
        data = Path(outer) / "data"
        yield data
        wipe(data)


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A whole stack, shared by the tests that leave it running."""
    with tempfile.TemporaryDirectory(prefix="mr-") as outer:
        running = RunningStack(Path(outer) / "data", "--apps", "2", "--workers", "1")
        try:
            running.wait_until_running()
            yield running
            processes = running.processes()
            assert running.stop(signal.SIGINT) == 0, running.said
            assert left_behind(running, processes) == []
        finally:
            running.clean()
            wipe(running.data)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        capture_output=True, text=True, timeout=110, env=own_environment(), check=False,
    )  # fmt: skip


def test_a_killed_worker_and_a_killed_replica_come_back(stack: RunningStack) -> None:
    before = {name: stack.pid(name) for name in ("worker-1", "app-1")}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def are_back() -> bool:
        now = {one.name: one.pid for one in stack.run_file().programs}
        lines = stack.said.splitlines()
        return all(
            now.get(name, pid) != pid
            and any(f"{name} " in line and f"pid {now[name]} " in line for line in lines)
            for name, pid in before.items()
        )

    until(are_back)
    assert stack.rows("SELECT count(*) FROM numbers") == [[100_000]]

    def told() -> list[dict[str, str]]:
        whole = (stack.data / "logs" / "up.log").read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    until(lambda: {line["program"] for line in told()} >= set(before))
    restarted = [line for line in told() if line["event"] == "process_restarted"]
    assert {line["program"] for line in restarted} >= set(before)


def test_its_workers_can_be_read_and_the_whole_is_well(stack: RunningStack) -> None:
    (worker,) = [one for one in stack.run_file().programs if one.name == "worker-1"]
    assert f"http://{worker.address}/metrics" in stack.said
    with urllib.request.urlopen(f"http://{worker.address}/metrics", timeout=10) as answer:
        assert b'millrace_worker_slots{lane="query"}' in answer.read()
    urls = ["--url", f"http://127.0.0.1:{stack.port}"]
    urls += ["--admin-url", f"http://127.0.0.1:{stack.admin_port}"]
    until(lambda: run("status", *urls).returncode == 0)
    shown = run("status", *urls).stdout
    assert shown.count("backend ") == 2


def test_a_table_is_accelerated_in_the_stack(stack: RunningStack) -> None:
    url = ["--url", f"http://127.0.0.1:{stack.port}"]
    done = run("accelerate", "numbers", "--wait", "--wait-s", "50", *url)
    assert done.returncode == 0, done.stderr
    assert "public.numbers  ready" in done.stdout
    assert list((stack.data / "segments").glob("*/*/*.duckdb"))
    query = {"sql": "SELECT count(*) FROM numbers", "engine": "columnar", "max_staleness_s": 0}
    status, answer = stack.call("POST", "/v1/query", query)
    assert (status, answer["rows"]) == (200, [[100_000]]), answer
    assert answer["plan"]["mode"] == "columnar"
    assert run("accelerate", "numbers", "--remove", "--wait", *url).returncode == 0


def test_a_second_up_on_the_same_folder_is_refused(stack: RunningStack) -> None:
    done = run("up", "--data", str(stack.data), "--port", str(free_port()))
    assert done.returncode == 4
    assert f"pid {stack.process.pid}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_told_with_its_holder_and_nothing_starts(
    stack: RunningStack, folder: Path
) -> None:
    done = run("up", "--data", str(folder), "--port", str(stack.port))
    assert done.returncode == 3
    assert f"Port {stack.port} is in use by" in done.stderr
    assert "--port" in done.stderr
    assert not (folder / "up.json").exists()


def test_a_file_is_loaded_into_the_running_stack(stack: RunningStack, tmp_path: Path) -> None:
    file = tmp_path / "animals.csv"
    file.write_text("name,legs\nant,6\nheron,2\n")
    done = run("load", str(file), "--table", "animals", "--data", str(stack.data), "--replace")
    assert done.returncode == 0, done.stderr
    assert stack.rows("SELECT name FROM animals WHERE legs < 4") == [["heron"]]


def test_what_a_killed_up_left_is_ended_and_its_data_is_kept(folder: Path) -> None:
    first = RunningStack(folder, "--apps", "1", "--workers", "1")
    second = None
    try:
        first.wait_until_running()
        url = first.run_file().database_url
        assert url is not None
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            connection.execute("DROP TABLE numbers")
        orphans = first.processes()
        first.kill()
        second = RunningStack(folder, "--apps", "1", "--workers", "1")
        second.wait_until_running()
        assert not [one for one in orphans if one.is_running() and one.status() != "zombie"]
        assert second.rows("SELECT answer FROM kept") == [[42]]
        status, _ = second.call("POST", "/v1/query", {"sql": "SELECT 1 FROM numbers"})
        assert status == 400  # whoever drops the demo does not get it back
        processes = second.processes()
        assert second.stop(signal.SIGTERM) == 0, second.said
        assert "nothing is left running" in second.said
        assert left_behind(second, processes) == []
    finally:
        for stack in filter(None, (first, second)):
            stack.clean()

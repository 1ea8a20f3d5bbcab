"""A short drill of a whole stack, as a person runs it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.drill.register import TABLE
from cli.embedded.wipe import wipe
from tests.e2e.running_stack import RunningStack, own_environment

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A small stack that may be harmed."""
    with tempfile.TemporaryDirectory(prefix="mr-") as outer:
        options = ("--apps", "2", "--workers", "1", "--drill")
        running = RunningStack(Path(outer) / "data", *options, MILLRACE_RATE_LIMIT="off")
        try:
            running.wait_until_running()
            yield running
        finally:
            running.clean()
            wipe(running.data)


def drill(stack: RunningStack, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "drill", "--data", str(stack.data), *options],
        capture_output=True, text=True, timeout=110, env=own_environment(), check=False,
    )  # fmt: skip


def test_a_drill_finds_nothing_lost_and_all_normal_again(
    stack: RunningStack, tmp_path: Path
) -> None:
    verdict, history = tmp_path / "verdict.json", tmp_path / "history.ndjson"
    done = drill(
        stack, "--faults", "kill-worker,cut-postgresql,wipe-redis", "--repeat", "1",
        "--clients", "4", "--rate", "20", "--seed", "7",
        "--json", str(verdict), "--history", str(history),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(verdict.read_text())
    assert [one["name"] for one in told["faults"]] == [
        "kill-worker",
        "cut-postgresql",
        "wipe-redis",
    ]
    assert all(one["recovery_s"] is not None for one in told["runs"])
    assert told["account"]["acknowledged"] == told["account"]["ok"] - told["account"]["recovered"]
    assert told["account"]["rows"] > 0
    kinds = {json.loads(line)["kind"] for line in history.read_text().splitlines()}
    assert {"job query", "query answer", "store", "found", "write", "register fresh"} <= kinds
    assert "PASSED" in done.stdout
    url = stack.run_file().database_url
    assert url is not None
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass(%s)", [TABLE]).fetchone() == (None,)


def test_digests_that_are_counted_twice_fail_the_drill(stack: RunningStack, tmp_path: Path) -> None:
    url = stack.run_file().database_url
    assert url is not None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION public.cheat() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN NEW.count = NEW.count + 1; RETURN NEW; END'"
        )
        connection.execute(
            "CREATE TRIGGER cheat BEFORE INSERT OR UPDATE ON millrace.digests "
            "FOR EACH ROW EXECUTE FUNCTION public.cheat()"
        )
        try:
            verdict = tmp_path / "verdict.json"
            done = drill(stack, "--faults", "none", "--minutes", "0.03", "--json", str(verdict))
        finally:
            connection.execute("DROP FUNCTION public.cheat() CASCADE")
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads(verdict.read_text())
    assert told["account"]["duplicated"]
    assert [reason.partition(" ")[2] for reason in told["reasons"]] == ["doubled effects"]

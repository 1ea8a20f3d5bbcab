"""The scripts that use a running stack: smoke test, tour, scale demo and load test."""

import pytest

from tests.unit.scripts.machine import Machine

SMOKE, DEMO = "scripts/test.sh", "scripts/demo.sh"
SCALE, LOAD = "scripts/scale-demo.sh", "scripts/load-test.sh"


@pytest.fixture
def running(linux: Machine) -> Machine:
    """Return a Linux on which Millrace runs."""
    linux.start()
    return linux


@pytest.mark.parametrize("script", [SMOKE, DEMO, SCALE, LOAD])
def test_each_has_help_and_needs_a_running_stack(linux: Machine, script: str) -> None:
    assert "Usage: " in linux.run(script, "--help").output
    ended = linux.run(script, "--unheard-of")
    assert ended.code == 2
    assert "--unheard-of" in ended.errors
    ended = linux.run(script)
    assert ended.code == 13
    assert "Start it: scripts/setup-linux.sh" in ended.errors
    linux.set(engine="down")
    assert linux.run(script).code == 5


def test_a_smoke_test_counts_what_is_wrong(running: Machine) -> None:
    """The made-up Millrace knows neither this sum nor jobs."""
    ended = running.run(SMOKE)
    assert ended.code == 15
    assert "[[100000,5017221223]]" in ended.errors
    assert ended.output.endswith("7 passed, 6 failed\n")


def test_a_smoke_test_sees_a_container_that_is_not_healthy(running: Machine) -> None:
    with (running.state / "containers").open("a") as containers:
        containers.write("worker|millrace|running|Up 2 minutes (unhealthy)|none\n")
    ended = running.run(SMOKE)
    assert "worker 1/2 unhealthy" in ended.errors


def test_a_scale_demo_prints_a_table_and_puts_all_back(running: Machine) -> None:
    running.set(answer_hash='200\n{"hash": "$argon2id$"}')
    ended = running.run(SCALE, "--sizes", "1", "--requests", "3", "--clients", "2")
    assert ended.code == 0, ended.text
    table = [line.split() for line in ended.output.splitlines()]
    assert [row[1:3] + row[-1:] for row in table if row[:1] == ["1"] and len(row) == 8] == [
        ["password", "hashes", "0"], ["split", "queries", "0"],
    ]  # fmt: skip
    assert (running.state / "up").read_text().endswith("--scale worker=1 worker\n")
    assert (running.state / "limits").read_text().split() == ["off", "unset"]


def test_a_scale_demo_tells_failed_requests(running: Machine) -> None:
    running.set(answer_query="503\n{}")
    ended = running.run(SCALE, "--sizes", "1", "--requests", "2")
    assert ended.code == 15
    assert "Some requests failed" in ended.errors
    assert (running.state / "limits").read_text().split() == ["off", "unset"]


@pytest.mark.parametrize("arguments", [["--sizes", "1 x"], ["--requests", "0"], ["--clients", ""]])
def test_a_scale_demo_refuses_what_is_no_number(linux: Machine, arguments: list[str]) -> None:
    assert linux.run(SCALE, *arguments).code == 2


def test_a_load_test_lifts_the_limit_and_sets_it_again_even_when_it_fails(running: Machine) -> None:
    ended = running.run(LOAD, "--users", "3", "--time", "9s")
    assert ended.code == 0, ended.text
    assert "3 users for 9s" in ended.output
    running.set(fail_run="too many requests failed")
    assert running.run(LOAD).code == 1
    assert (running.state / "limits").read_text().split() == ["off", "unset"] * 2


def test_a_load_test_can_keep_the_limit(running: Machine) -> None:
    assert running.run(LOAD, "--keep-limit").code == 0
    assert not (running.state / "limits").exists()
    assert running.run(LOAD, MILLRACE_RATE_LIMIT="off").code == 0
    assert not (running.state / "limits").exists()


@pytest.mark.parametrize("arguments", [["--users", "0"], ["--time", "long"], ["--time"]])
def test_a_load_test_refuses_what_makes_no_sense(linux: Machine, arguments: list[str]) -> None:
    assert linux.run(LOAD, *arguments).code == 2

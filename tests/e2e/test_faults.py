"""Killed processes, seen from outside: right answers, no failed request."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.embedded.wipe import wipe
from tests.e2e.running_stack import RunningStack, until

pytestmark = pytest.mark.e2e

# 25 million pairs: some two seconds over the workers of a small machine
LONG = (
    "SELECT a.grp, count(*), sum(a.n % 7 + b.id % 5), max(a.n) FROM numbers a "
    "CROSS JOIN (SELECT id FROM numbers WHERE id <= 250) b GROUP BY a.grp ORDER BY a.grp"
)
LOOP = 500


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """Three replicas and two workers, without a rate limit."""
    with tempfile.TemporaryDirectory(prefix="mr-") as outer:
        running = RunningStack(Path(outer) / "data", MILLRACE_RATE_LIMIT="off")
        try:
            running.wait_until_running()
            yield running
        finally:
            running.clean()
            wipe(running.data)


def ask(stack: RunningStack, sql: str, engine: str) -> dict[str, Any]:
    body = {"sql": sql, "engine": engine, "max_staleness_s": 0}
    status, answer = stack.call("POST", "/v1/query", body)
    assert status == 200, answer
    return dict(answer)


def is_busy(stack: RunningStack, name: str) -> bool:
    _, status = stack.call("GET", "/v1/status")
    pid = stack.pid(name)
    return any(one["pid"] == pid and one["busy"] for one in status["workers"]["items"])


def test_a_worker_killed_in_the_middle_of_a_query_costs_time_not_rows(stack: RunningStack) -> None:
    whole = ask(stack, LONG, "direct")
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(ask(stack, LONG, "partitioned")))
    asking.start()
    until(lambda: is_busy(stack, "worker-1"), limit_s=10)
    killed = stack.pid("worker-1")
    os.kill(killed, signal.SIGKILL)
    asking.join(60)
    assert answers, "no answer came"
    assert answers[0]["rows"] == whole["rows"]
    assert answers[0]["plan"]["mode"] == "partitioned"
    until(lambda: stack.pid("worker-1") != killed)


def test_a_killed_replica_fails_no_request(stack: RunningStack) -> None:
    killed = stack.pid("app-2")
    failed = []
    for number in range(LOOP):
        if number == LOOP // 5:
            os.kill(killed, signal.SIGKILL)
        status, answer = stack.call("POST", "/v1/query", {"sql": f"SELECT {number}"})
        if status != 200 or answer["rows"] != [[number]]:
            failed.append((number, status, answer))
    assert failed == []
    until(lambda: stack.pid("app-2") != killed)

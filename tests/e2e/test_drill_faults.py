"""A stack that may be harmed: each fault does what it says, and nothing of it is left."""

import http.client
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from cli.embedded.wipe import wipe
from cli.faults.catalogue import Fault, FaultImpossible, Injected, Stack, catalogue, mend
from tests.e2e.running_stack import RunningStack, left_behind, until

pytestmark = pytest.mark.e2e

QUERY = "SELECT grp, count(*), max(n) FROM numbers GROUP BY grp ORDER BY grp"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningStack]:
    """A whole stack, started for drills, and nothing left of it at the end."""
    with tempfile.TemporaryDirectory(prefix="mr-") as outer:
        options = ("--apps", "1", "--workers", "2", "--drill")
        running = RunningStack(Path(outer) / "data", *options, MILLRACE_RATE_LIMIT="off")
        try:
            running.wait_until_running()
            yield running
            processes = running.processes()
            assert running.stop() == 0, running.said
            assert left_behind(running, processes) == []
        finally:
            running.clean()
            wipe(running.data)


@pytest.fixture
def stack(running: RunningStack) -> Iterator[Stack]:
    """The stack, answering right before each test and after it."""
    whole = running.rows(QUERY)
    with Stack.of(running.data) as stack:
        yield stack
        mend(stack)
    until(lambda: _asks(running, QUERY) == (200, whole))


@pytest.fixture
def faults(stack: Stack) -> dict[str, Fault]:
    return dict(catalogue(stack, random.Random(5)))


def _asks(running: RunningStack, sql: str) -> tuple[int, object]:
    try:
        body = {"sql": sql, "max_staleness_s": 0}
        status, answer = running.call("POST", "/v1/query", body)
    except (OSError, http.client.HTTPException):
        return 0, None
    return status, answer.get("rows")


def _program(running: RunningStack, name: str) -> psutil.Process:
    return psutil.Process(running.pid(name))


def _injected(fault: Fault) -> Injected:
    """Bring it about once that is possible: what the last one hit may not be back yet."""
    done: list[Injected] = []

    def inject() -> bool:
        try:
            done.append(fault.inject())
        except FaultImpossible:
            return False
        return True

    until(inject)
    return done[0]


def test_the_programs_reach_their_servers_through_the_proxies(
    running: RunningStack, stack: Stack
) -> None:
    for name in ("worker-1", "app-1"):
        environment = _program(running, name).environ()
        assert environment["DATABASE_URL"] != stack.database_url
        assert environment["REDIS_URL"] != stack.redis_url
    assert stack.control.connections("postgresql") > 0
    assert stack.control.connections("redis") > 0


def test_a_fault_of_each_kind_is_survived(running: RunningStack, faults: dict[str, Fault]) -> None:
    whole = running.rows(QUERY)
    for name in (
        "kill-all-workers", "kill-balancer-child", "kill-redis", "wipe-redis", "kill-postgresql",
        "cut-postgresql", "cut-redis", "client-leaves",
    ):  # fmt: skip
        injected = _injected(faults[name])
        assert injected.description
        injected.undo()
        until(lambda: _asks(running, QUERY) == (200, whole))


def test_processes_that_were_stopped_go_on(running: RunningStack, faults: dict[str, Fault]) -> None:
    for name, program in (
        ("stop-worker", "worker-"), ("hang-redis", "Valkey"), ("hang-postgresql", "PostgreSQL")
    ):  # fmt: skip
        injected = _injected(faults[name])
        try:
            # a signal is sent at once, and obeyed when the process has its turn
            until(lambda: _stopped(running, program))  # noqa: B023
        finally:
            injected.undo()
            injected.undo()
        until(lambda: not _stopped(running, program))  # noqa: B023


def _stopped(running: RunningStack, prefix: str) -> bool:
    leaders = [one.pid for one in running.run_file().programs if one.name.startswith(prefix)]
    return any(psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in leaders)


def test_what_servers_are_told_is_taken_back(stack: Stack, faults: dict[str, Fault]) -> None:
    def setting() -> object:
        with psycopg.connect(stack.database_url) as connection:
            return connection.execute("SHOW default_transaction_read_only").fetchone()

    def room() -> object:
        with redis.Redis.from_url(stack.redis_url) as client:
            return client.config_get("maxmemory", "maxmemory-policy")

    had = room()
    filled = faults["fill-redis"].inject()
    assert room() != had
    filled.undo()
    assert room() == had
    forgotten = faults["read-only-postgresql"].inject()
    until(lambda: setting() == ("on",))
    mend(stack)
    until(lambda: setting() == ("off",))
    forgotten.undo()
    full = faults["full-postgresql"].inject()
    with pytest.raises(psycopg.OperationalError, match="too many clients"):
        psycopg.connect(stack.database_url)
    full.undo()
    until(lambda: _connects(stack))


def _connects(stack: Stack) -> bool:
    try:
        psycopg.connect(stack.database_url).close()
    except psycopg.OperationalError:
        return False
    return True

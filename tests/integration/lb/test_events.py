"""What changes is told once: one line of the log with a name and a cause, and one count."""

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.lb.conftest import Running, until
from tests.integration.lb.running_program import running_program


def named(lines: list[Any]) -> list[tuple[str, str]]:
    """Return the names and causes of the events among the lines."""
    return [(line["_event"], line["cause"]) for line in lines if "_event" in line]


def counts(text: str) -> dict[str, float]:
    """Return the counts that are not 0, by event."""
    found = re.findall(r'millrace_events_total\{event="(\w+)"\} (\S+)', text)
    return {name: float(value) for name, value in found if float(value)}


def test_a_backend_that_goes_and_comes_back_is_two_events(running: Running) -> None:
    with capture_logs() as lines:
        balancer = running.start(1, check_fall=1, check_rise=1)
        (backend,) = balancer.proxy.backends.by_id.values()
        address = {"backend": backend.id}
        running.backends[0].ready = False
        until(lambda: backend.state == "ejected", "it is ejected")
        running.backends[0].ready = True
        until(lambda: backend.state == "ready", "it is back")
        assert running.admin("PUT", f"/lb/backends/{backend.id}", {"state": "drain"})[0] == 200
        assert running.admin("PUT", f"/lb/backends/{backend.id}", {"state": "ready"})[0] == 200
        running.do(_forget_all(balancer))
    events = [line for line in lines if "_event" in line]
    assert [line["_event"] for line in events] == [
        "backend_added", "backend_ready", "backend_ejected", "backend_ready", "backend_taken_out",
        "backend_ready", "backend_removed",
    ]  # fmt: skip
    assert all(line.items() >= address.items() for line in events)
    assert events[2]["cause"] == "the check was answered 503"
    assert events[5]["cause"] == "the operator decided so"
    assert counts(running.admin("GET", "/metrics")[1].decode()) == {
        "backend_added": 1, "backend_ready": 3, "backend_ejected": 1, "backend_taken_out": 1,
        "backend_removed": 1,
    }  # fmt: skip


async def _forget_all(balancer: Any) -> None:
    balancer.proxy.backends.update({})


def test_the_use_of_ejected_backends_is_told_when_it_begins_and_ends(running: Running) -> None:
    with capture_logs() as lines:
        balancer = running.start(1, check_fall=1, check_rise=1, panic_ratio=0.5)
        (backend,) = balancer.proxy.backends.by_id.values()
        running.backends[0].ready = False
        until(lambda: backend.state == "ejected", "it is ejected")
        running.backends[0].ready = True
        until(lambda: backend.state == "ready", "it is back")
        running.turn()
    panic = [name for name, _ in named(lines) if name.startswith("panic")]
    assert panic == ["panic_began", "panic_ended"]


def test_a_redis_that_is_away_for_the_limits_is_told_once(running: Running, tmp_path: Path) -> None:
    with capture_logs() as lines:
        running.start(1, rate_limit="5/minute", redis_url=f"unix://{tmp_path}/no.sock")
        for _ in range(3):
            with running.connect() as client:
                assert client.request("/v1/query")[0] == 200
    told = [(name, cause) for name, cause in named(lines) if name.startswith("limiter")]
    assert [name for name, _ in told] == ["limiter_local"]
    assert "no.sock" in told[0][1]


@pytest.fixture
def backends(running: Running) -> str:
    running.start(1)
    return f"127.0.0.1:{running.backends[0].port}"


def test_the_parents_events_are_counted_with_those_of_its_processes(backends: str) -> None:
    with running_program("--processes", "2", MILLRACE_LB_BACKENDS=backends) as program:
        killed = min(program.pids())
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(program.pids() - {killed}) == 2, "two serve again")
        program.reload()
        until(lambda: not program.pids("draining"), "the old ones are gone")

        def told() -> dict[str, float]:
            return counts(program.admin("GET", "/metrics")[1])

        # Each process tells of its backends by itself; what was killed may not have been asked
        # before, and who is slow to answer is left out.
        until(
            lambda: min(told().get(name, 0) for name in ("backend_ready", "backend_added")) >= 4,
            "all are counted",
        )
        others = {n: number for n, number in told().items() if not n.startswith("backend_")}
        assert others == {"process_restarted": 1, "reloaded": 1}
    restarted = program.said("process restarted")
    assert [(line["event"], line["pid"]) for line in restarted] == [("process_restarted", killed)]
    assert restarted[0]["cause"] == "it ended with code -9"
    assert len(program.said("balancer draining")) == 1

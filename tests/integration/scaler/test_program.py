"""`python -m scaler` as a supervisor sees it: looks, advises, gives way, takes over, ends."""

import http.client
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis

from scaler.reader import Reader
from tasks.dispatcher import Dispatcher
from tasks.lanes import QUERY
from tasks.lease import Lease
from tasks.scaling import LEASE, scaling
from tests.integration.scaler.conftest import RunningScaler, running_scaler
from tests.integration.scaler.engine_of_tests import EngineOfTests
from tests.integration.scaler.test_docker_driver import engine, folder
from tests.integration.tasks.conftest import Crew, eventually

__all__ = ["engine", "folder"]


def get(scaler: RunningScaler, path: str) -> str:
    (line,) = (one for one in scaler.lines() if one["message"] == "metrics served")
    connection = http.client.HTTPConnection(line["address"], timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    assert response.status == 200
    body = response.read().decode()
    connection.close()
    return body


def test_workers_tell_how_much_they_have_worked(
    client: redis.Redis, dispatcher: Dispatcher, crew: Crew
) -> None:
    began = time.monotonic()
    gate = threading.Event()

    def work(_: Lease) -> bytes:
        assert gate.wait(30)
        return b""

    crew.start(slots=2, handler=work)
    reader = Reader(client)
    with dispatcher.scatter([b""] * 4, timeout_s=60) as scatter:
        eventually(lambda: reader.read().waiting(QUERY) == 2)
        at_work = time.monotonic()
        eventually(lambda: time.monotonic() - at_work > 0.5)
        gate.set()
        assert len(list(scatter.gather())) == 4

    def told_s() -> float:
        return sum(worker.worked_s["query"] for worker in reader.read().workers)

    # two tasks were at work for so long at least, and never more than two
    eventually(lambda: told_s() > 0.99)
    assert told_s() < 2 * (time.monotonic() - began)
    (worker,) = reader.read().workers
    assert worker.uptime_s > 0.5


def test_it_advises_and_publishes_what(
    client: redis.Redis, dispatcher: Dispatcher, crew: Crew, short: dict[str, str], tmp_path: Path
) -> None:
    crew.start(slots=1)
    with (
        running_scaler(short, tmp_path / "log") as scaler,
        dispatcher.scatter([b"wait 1"] * 20, timeout_s=60),
    ):
        eventually(lambda: scaler.told("scaling_advised"))
        eventually(lambda: (found := scaling(client)) is not None and found.record.wanted > 1)
        found = scaling(client)
        assert found is not None
        assert (found.state, found.record.driver, found.record.running) == ("active", "advise", 1)
        assert '"status": "active"' in get(scaler, "/health")
        assert "millrace_scaler_workers_wanted" in get(scaler, "/metrics")
        assert scaler.stop() == 0
        assert [line["cause"] for line in scaler.told("scaler_stopping")] == ["SIGTERM"]
    assert scaling(client) is None


def test_of_two_one_stands_by_and_takes_over_when_the_lease_lapses(
    client: redis.Redis, crew: Crew, short: dict[str, str], tmp_path: Path
) -> None:
    crew.start()
    with running_scaler(short, tmp_path / "one") as first:
        eventually(lambda: first.told("scaler_active"))
        with running_scaler(short, tmp_path / "two") as second:
            eventually(lambda: second.told("scaler_standby"))
            first.process.kill()
            first.process.wait()
            assert 0 < client.pttl(LEASE) <= 60_000
            assert second.told("scaler_active") == []
            client.pexpire(LEASE, 100)
            eventually(lambda: second.told("scaler_active"))
            assert first.told("scaler_standby") == []
            assert second.stop() == 0


def test_it_makes_it_so_through_docker(
    dispatcher: Dispatcher,
    crew: Crew,
    short: dict[str, str],
    tmp_path: Path,
    engine: EngineOfTests,
) -> None:
    engine.add("worker", 1)
    crew.start(slots=1)
    environment = short | {
        "MILLRACE_SCALER_DRIVER": "docker",
        "MILLRACE_SCALER_PROJECT": "shop",
        "MILLRACE_SCALER_DOCKER_SOCKET": str(engine.server_address),
        "MILLRACE_SCALER_TARGET_UTILISATION": "0.3",
        "MILLRACE_SCALER_JOIN_S": "0.1",
        "MILLRACE_SCALER_MAX_WORKERS": "3",
    }
    with running_scaler(environment, tmp_path / "log") as scaler:
        with dispatcher.scatter([b"wait 1"] * 20, timeout_s=60):
            eventually(lambda: len(engine.names("running")) == 3)

        def added() -> list[str]:
            return [name for line in scaler.told("workers_added") for name in line["workers"]]

        eventually(lambda: added() == ["shop-worker-2", "shop-worker-3"])
        for _ in range(2):  # they join, and there is nothing to do
            crew.start(slots=1)
        eventually(lambda: engine.names() == ["shop-worker-1"])
        eventually(lambda: len(scaler.told("workers_leaving")) == 2)


def test_it_waits_for_redis_and_ends_without_it(short: dict[str, str], tmp_path: Path) -> None:
    environment = short | {"REDIS_URL": "redis://127.0.0.1:1/0"}
    with running_scaler(environment, tmp_path / "log") as scaler:
        eventually(lambda: scaler.told("redis_outage_began"))
        assert scaler.stop() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MILLRACE_SCALER_MAX_WORKERS", "0"),
        ("MILLRACE_SCALER_DRIVER", "swarm"),
        ("MILLRACE_SCALER_METRICS_LISTEN", "nowhere"),
        ("MILLRACE_SCALER_LEASE_S", "0.1"),
        ("MILLRACE_SCALER_WINDOW_S", "0.1"),
    ],
)
def test_settings_that_make_no_sense_end_it(short: dict[str, str], name: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scaler"],
        env=short | {name: value}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("scaler: ")
    assert name.removeprefix("MILLRACE_SCALER_").lower() in done.stderr.lower()

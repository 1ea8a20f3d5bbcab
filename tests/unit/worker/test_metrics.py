"""What a worker counts, and who can read it."""

import http.client
import json
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from db.reader import reader_database
from db.settings import DatabaseSettings
from tasks.lanes import BULK, PASSWORD, QUERY
from tasks.lease import Lease
from tasks.message import Task
from telemetry.metrics_server import CannotListen, MetricsServer
from worker.events import EVENTS, Events
from worker.keeping.metrics import KeepingMetrics
from worker.metrics import OUTCOMES, DiskCollector, PoolCollector, WorkerMetrics
from worker.wiring import breaker_listener

DOCS = Path(__file__).parents[3] / "docs" / "monitoring.md"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> WorkerMetrics:
    return WorkerMetrics(registry)


@pytest.fixture
def server(registry: CollectorRegistry) -> Iterator[MetricsServer]:
    health = {"status": "working"}
    made = MetricsServer("127.0.0.1:0", registry, lambda: health)
    made.start()
    yield made
    made.stop()


def lease() -> Lease:
    return Lease(Task("1-0", 0, 60_000, "reply", b""), deliveries=1, age_s=0.0)


def get(server: MetricsServer, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def test_tasks_are_counted_by_how_they_end(
    registry: CollectorRegistry, metrics: WorkerMetrics
) -> None:
    def busy() -> float | None:
        return registry.get_sample_value("millrace_worker_busy", {"lane": "query"})

    def good(_: Lease) -> bytes:
        assert busy() == 1
        return b"answer"

    def bad(_: Lease) -> bytes:
        raise ValueError("no")

    def told_to_stop(held: Lease) -> bytes:
        held.cancel("cancelled")
        raise ValueError("no")

    assert metrics.measured(QUERY, good)(lease()) == b"answer"
    for handler in (bad, told_to_stop):
        with pytest.raises(ValueError, match="no"):
            metrics.measured(QUERY, handler)(lease())
    counts = {
        outcome: registry.get_sample_value(
            "millrace_worker_tasks_total", {"lane": "query", "outcome": outcome}
        )
        for outcome in OUTCOMES[QUERY]
    }
    assert counts == {"done": 1, "failed": 1, "cancelled": 1}
    assert registry.get_sample_value("millrace_worker_task_seconds_count", {"lane": "query"}) == 3
    assert busy() == 0


def test_an_answer_that_was_ready_before_the_cancellation_is_done(
    registry: CollectorRegistry, metrics: WorkerMetrics
) -> None:
    def late(held: Lease) -> bytes:
        held.cancel("cancelled")
        return b""

    metrics.measured(PASSWORD, late)(lease())
    labels = {"lane": "password", "outcome": "done"}
    assert registry.get_sample_value("millrace_worker_tasks_total", labels) == 1


def test_slots_and_what_runs_are_told_by_lane(
    registry: CollectorRegistry, metrics: WorkerMetrics
) -> None:
    metrics.has_slots(BULK, 4)
    metrics.watch_busy(BULK, lambda: 3)
    assert registry.get_sample_value("millrace_worker_slots", {"lane": "bulk"}) == 4
    assert registry.get_sample_value("millrace_worker_busy", {"lane": "bulk"}) == 3


def test_a_breaker_that_opens_is_an_event_of_its_pool(registry: CollectorRegistry) -> None:
    told: list[tuple[str, str, object]] = []
    changed = breaker_listener(
        lambda name, cause, /, **facts: told.append((name, cause, facts["pool"])), "worker-own"
    )
    changed("closed", "open", OSError("gone\n"))
    changed("open", "half_open", None)
    assert told == [
        ("breaker_opened", "gone", "worker-own"),
        ("breaker_half_opened", "was open", "worker-own"),
    ]


def test_both_are_served_and_nothing_else(server: MetricsServer, metrics: WorkerMetrics) -> None:
    metrics.has_slots(QUERY, 2)
    assert get(server, "/health") == (200, json.dumps({"status": "working"}))
    status, text = get(server, "/metrics?x=1")
    assert (status, 'millrace_worker_slots{lane="query"} 2.0' in text) == (200, True)
    assert get(server, "/")[0] == 404


def test_a_client_that_says_nothing_holds_up_no_other(server: MetricsServer) -> None:
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port))):
        assert get(server, "/health")[0] == 200


def test_an_address_in_use_is_named(server: MetricsServer, registry: CollectorRegistry) -> None:
    with pytest.raises(CannotListen, match=server.address):
        MetricsServer(server.address, registry, dict)


def test_every_metric_is_documented(
    registry: CollectorRegistry, metrics: WorkerMetrics, server: MetricsServer
) -> None:
    Events(registry)
    settings = DatabaseSettings(url="postgresql://nobody@127.0.0.1:1/nothing")
    registry.register(PoolCollector([reader_database(settings, "worker")]))
    registry.register(DiskCollector(Path()))
    KeepingMetrics(registry)
    found = set(re.findall(r"# TYPE (\S+) ", get(server, "/metrics")[1]))
    names = {name for name in found if not name.endswith("_created")}
    documented = re.findall(
        r"^\| `((?:millrace_worker|millrace_events|process)_\w+)`", DOCS.read_text(), re.MULTILINE
    )
    if sys.platform != "linux":  # elsewhere the process itself is not told
        documented = [name for name in documented if not name.startswith("process_")]
    assert sorted(names) == sorted(documented)


def test_how_full_a_disk_is_is_told_while_it_is_there(
    registry: CollectorRegistry, tmp_path: Path
) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir()
    registry.register(DiskCollector(folder))

    def space(kind: str) -> float | None:
        return registry.get_sample_value("millrace_worker_disk_bytes", {"kind": kind})

    size, free = space("size"), space("free")
    assert size is not None
    assert free is not None
    assert 0 < free < size == shutil.disk_usage(tmp_path).total
    folder.rmdir()
    assert space("free") is None


def test_an_event_is_one_line_and_one_count(registry: CollectorRegistry) -> None:
    with capture_logs() as lines:
        Events(registry).emit("dead_letter", "ValueError: no", job="1")
    line: Any = lines[0]
    assert (line["_event"], line["cause"], line["job"]) == ("dead_letter", "ValueError: no", "1")
    counts = {
        name: registry.get_sample_value("millrace_events_total", {"event": name}) for name in EVENTS
    }
    assert counts.pop("dead_letter") == 1
    assert set(counts.values()) == {0}

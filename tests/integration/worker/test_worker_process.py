"""`python -m worker` as a supervisor sees it: starts, serves, drains, ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
import redis

from query.fragment import Partial
from tasks.client import connect
from tasks.dispatcher import Dispatcher
from tasks.heartbeat import Workers
from tasks.lanes import QUERY, lane_status
from tasks.settings import QueueSettings
from tests.integration.worker.conftest import fragment, sleeping, worker_environment


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def queue(redis_url: str) -> QueueSettings:
    return QueueSettings(url=redis_url)


@pytest.fixture
def client(queue: QueueSettings) -> Iterator[redis.Redis]:
    with connect(queue, "test") as client:
        yield client


@contextmanager
def running_worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "worker"], env=environment, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def log_of(process: subprocess.Popen[bytes]) -> list[dict[str, object]]:
    output, _ = process.communicate(timeout=30)
    return [json.loads(line) for line in output.splitlines()]


def test_it_answers_fragments_and_on_sigterm_finishes_the_one_it_holds(
    settings: object,
    database_url: str,
    redis_url: str,
    snapshot: str,
    queue: QueueSettings,
    client: redis.Redis,
) -> None:
    dispatcher = Dispatcher(client, queue)
    environment = worker_environment(database_url, redis_url)
    environment["MILLRACE_DB_LOCK_TIMEOUT_S"] = "60"
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with running_worker(environment) as worker, psycopg.connect(database_url) as holding:
        eventually(Workers(client).list)
        holding.execute("SELECT pg_advisory_xact_lock(1)")
        payloads = [
            fragment("SELECT count(*) FROM t", snapshot).encode(),
            fragment("SELECT 'waited' FROM pg_advisory_xact_lock(1)", snapshot).encode(),
        ]
        with dispatcher.scatter(payloads, timeout_s=60) as scatter:
            replies = scatter.gather()
            assert Partial.decode(next(replies).payload).data == [["20000"]]
            eventually(lambda: holding.execute(waiting).fetchone() == (1,))
            worker.send_signal(signal.SIGTERM)
            eventually(lambda: any(record.draining for record in Workers(client).list()))
            holding.commit()
            assert Partial.decode(next(replies).payload).data == [["waited"]]
        events = log_of(worker)
        assert worker.returncode == 0
    assert {"taking tasks", "worker draining", "draining"} <= {event["message"] for event in events}
    assert Workers(client).list() == ()


def test_prometheus_reads_what_it_does(
    settings: object,
    database_url: str,
    redis_url: str,
    snapshot: str,
    queue: QueueSettings,
    client: redis.Redis,
) -> None:
    environment = worker_environment(database_url, redis_url)
    environment["MILLRACE_WORKER_METRICS_LISTEN"] = "127.0.0.1:0"
    with running_worker(environment) as worker:
        assert worker.stdout is not None
        event = json.loads(worker.stdout.readline())
        while event["message"] != "metrics served":
            event = json.loads(worker.stdout.readline())
        url = f"http://{event['address']}"

        def told(line: str) -> bool:
            return line in httpx.get(f"{url}/metrics", timeout=30).text

        eventually(lambda: httpx.get(f"{url}/health", timeout=30).json()["status"] == "working")
        eventually(Workers(client).list)
        payload = fragment("SELECT count(*) FROM t", snapshot).encode()
        with Dispatcher(client, queue).scatter([payload], timeout_s=30) as scatter:
            next(scatter.gather())
        eventually(lambda: told('millrace_worker_tasks_total{lane="query",outcome="done"} 1.0'))
        assert told('millrace_worker_slots{lane="query"} 2.0')
        assert told('millrace_worker_breaker_state{pool="worker-own"} 0.0')
        assert told('millrace_events_total{event="worker_draining"} 0.0')
        health = httpx.get(f"{url}/health", timeout=30).json()
        assert set(health["breakers"]) == {"worker", "worker-own", "worker-bulk"}


def test_an_address_for_metrics_that_is_taken_is_one_clear_line_and_exit_code_2(
    redis_url: str,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = worker_environment("postgresql://nobody@/none?host=/nowhere", redis_url)
        environment["MILLRACE_WORKER_METRICS_LISTEN"] = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "worker"], env=environment, capture_output=True, timeout=60,
            text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "MILLRACE_WORKER_METRICS_LISTEN: 127.0.0.1:" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("bulk_slots", "takes_bulk"), [("1", True), ("0", False)])
def test_it_names_the_lanes_that_it_takes_tasks_from(
    settings: object,
    database_url: str,
    redis_url: str,
    client: redis.Redis,
    bulk_slots: str,
    takes_bulk: bool,
) -> None:
    environment = worker_environment(database_url, redis_url)
    with running_worker({**environment, "MILLRACE_WORKER_BULK_SLOTS": bulk_slots}):
        eventually(Workers(client).list)
        (worker,) = Workers(client).list()
    assert "query" in worker.lanes
    assert ("bulk" in worker.lanes) == takes_bulk


def test_a_gatherer_that_leaves_cancels_the_query_on_postgresql(
    settings: object,
    database_url: str,
    redis_url: str,
    snapshot: str,
    queue: QueueSettings,
    client: redis.Redis,
) -> None:
    with running_worker(worker_environment(database_url, redis_url)):
        eventually(Workers(client).list)
        payload = fragment("SELECT pg_sleep(100)", snapshot).encode()
        with Dispatcher(client, queue).scatter([payload], timeout_s=100):
            eventually(lambda: sleeping(database_url) == 1)
        eventually(lambda: sleeping(database_url) == 0)
        eventually(lambda: lane_status(client, QUERY).pending == 0)


def test_a_second_signal_ends_it_at_once(
    settings: object,
    database_url: str,
    redis_url: str,
    snapshot: str,
    queue: QueueSettings,
    client: redis.Redis,
) -> None:
    with running_worker(worker_environment(database_url, redis_url)) as worker:
        eventually(Workers(client).list)
        payload = fragment("SELECT pg_sleep(100)", snapshot).encode()
        with Dispatcher(client, queue).scatter([payload], timeout_s=100):
            eventually(lambda: lane_status(client, QUERY).pending == 1)
            worker.send_signal(signal.SIGTERM)
            eventually(lambda: any(record.draining for record in Workers(client).list()))
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 1


def test_it_waits_for_servers_that_are_not_there_and_still_obeys(redis_url: str) -> None:
    environment = worker_environment("postgresql://nobody@/none?host=/nowhere", redis_url)
    with running_worker(environment) as worker:
        assert worker.stdout is not None
        event = json.loads(worker.stdout.readline())
        while event["message"] != "waiting for PostgreSQL":
            event = json.loads(worker.stdout.readline())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0


def test_bad_settings_are_one_clear_line_and_exit_code_2() -> None:
    environment = {**os.environ, "REDIS_URL": "http://x", "MILLRACE_WORKER_SLOTS": "2"}
    environment.pop("DATABASE_URL", None)
    done = subprocess.run(
        [sys.executable, "-m", "worker"], env=environment, capture_output=True, timeout=60,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "REDIS_URL" in line

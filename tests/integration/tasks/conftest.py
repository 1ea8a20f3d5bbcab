"""A queue with short times, and workers on it: in threads, or processes that may be killed."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
import redis

from tasks.client import connect
from tasks.consumer import Consumer, LaneSlots, worker_name
from tasks.dispatcher import Dispatcher
from tasks.errors import QueueUnavailable
from tasks.heartbeat import Workers
from tasks.lanes import QUERY
from tasks.lease import Handler, Lease
from tasks.link import borrowed
from tasks.message import Task
from tasks.settings import QueueSettings
from tests.integration.tasks.programmed_worker import handle

# a busy machine may keep a worker from its heartbeat for seconds, and nobody is dead for that
SHORT = {
    "block_s": 0.1,
    "lease_s": 0.8,
    "renew_s": 0.1,
    "heartbeat_s": 0.2,
    "heartbeat_ttl_s": 30.0,
}
# where no lease may lapse unless its worker is dead
PATIENT = {"lease_s": 60.0}
# where somebody is to be missed on the roll
MISSED_SOON = {"heartbeat_ttl_s": 2.0}


def eventually(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def behind(gate: threading.Event) -> Handler:
    """Return a handler that does what its tasks say once the gate is open."""

    def wait_and_handle(lease: Lease) -> bytes:
        assert gate.wait(60)
        return handle(lease)

    return wait_and_handle


def queued(client: redis.Redis) -> list[Task]:
    """Return the tasks in the stream."""
    with borrowed(client) as link:
        entries: Any = link.call("XRANGE", QUERY.stream, "-", "+")
    return [
        Task.decode(entry_id, dict(zip(fields[::2], fields[1::2], strict=True)))
        for entry_id, fields in entries
    ]


@dataclass
class Threads:
    """A worker in threads of this process."""

    name: str
    consumer: Consumer
    thread: threading.Thread
    drained: list[bool]


Events: TypeAlias = list[tuple[str, str]]


class Crew:
    """Starts workers and stops what a test leaves running; `events` are those of its threads."""

    def __init__(self, settings: QueueSettings, client: redis.Redis, events: Events) -> None:
        self._events = events
        self._settings = settings
        self._client = client
        self._threads: list[Threads] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def _note(self, name: str, cause: str, /, **_facts: object) -> None:
        self._events.append((name, cause))

    def start(
        self, slots: int = 2, handler: Handler = handle, drain_timeout_s: float = 10.0
    ) -> Threads:
        """Start a worker in threads and wait until it is on the roll."""
        name = worker_name()
        consumer = Consumer(
            self._client,
            self._settings,
            name=name,
            lanes=[LaneSlots(QUERY, slots, handler)],
            on_event=self._note,
        )
        drained: list[bool] = []
        thread = threading.Thread(
            target=lambda: drained.append(consumer.run(drain_timeout_s=drain_timeout_s)),
            daemon=True,
        )
        thread.start()
        worker = Threads(name, consumer, thread, drained)
        self._threads.append(worker)
        eventually(lambda: self._is_listed(name))
        return worker

    def start_process(self, slots: int = 2) -> subprocess.Popen[bytes]:
        """Start a worker in a process of its own and wait until it is on the roll."""
        return self.start_processes(1, slots)[0]

    def start_processes(self, number: int, slots: int) -> list[subprocess.Popen[bytes]]:
        """Start so many at once and wait until all are on the roll."""
        times = {
            f"MILLRACE_QUEUE_{name.upper()}": str(getattr(self._settings, name)) for name in SHORT
        }
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.integration.tasks.programmed_worker", str(slots)],
                env={**os.environ, **times, "REDIS_URL": self._settings.url},
                stdout=subprocess.DEVNULL,
            )
            for _ in range(number)
        ]
        self._processes += started
        workers = Workers(self._client)
        pids = {process.pid for process in started}
        eventually(lambda: pids <= {worker.pid for worker in workers.list()})
        return started

    def names(self) -> set[str]:
        """Names on the roll."""
        return {worker.name for worker in Workers(self._client).list()}

    def _is_listed(self, name: str) -> bool:
        try:
            return name in self.names()
        except QueueUnavailable:
            return False

    def stop(self) -> None:
        """Stop everything."""
        for worker in self._threads:
            worker.consumer.stop()
        for process in self._processes:
            process.kill()
            process.wait()
        for worker in self._threads:
            worker.thread.join(60)
            assert not worker.thread.is_alive()


@pytest.fixture
def settings(redis_url: str) -> QueueSettings:
    return QueueSettings(url=redis_url, **SHORT)


@pytest.fixture
def client(settings: QueueSettings) -> Iterator[redis.Redis]:
    with connect(settings, "test") as client:
        yield client


@pytest.fixture
def dispatcher(client: redis.Redis, settings: QueueSettings) -> Dispatcher:
    return Dispatcher(client, settings)


@pytest.fixture
def events() -> Events:
    """What workers in threads tell of."""
    return []


@pytest.fixture
def crew_of(client: redis.Redis, events: Events) -> Iterator[Callable[[QueueSettings], Crew]]:
    """Make a crew with settings of its own; it is stopped after the test."""
    with ExitStack() as started:

        def make(settings: QueueSettings) -> Crew:
            crew = Crew(settings, client, events)
            started.callback(crew.stop)
            return crew

        yield make


@pytest.fixture
def crew(settings: QueueSettings, crew_of: Callable[[QueueSettings], Crew]) -> Crew:
    return crew_of(settings)

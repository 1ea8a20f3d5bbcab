"""A replica's services, a queue that keeps all on its disk, and workers of several kinds."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from app.main import build_app, build_services, close
from app.replica_settings import ReplicaSettings
from app.services import Services
from cli.embedded.place import place_for
from cli.embedded.program import RunningServer
from cli.embedded.valkey import EmbeddedValkey
from db.migrate import migrate
from db.settings import DatabaseSettings
from tasks.client import connect
from tasks.consumer import Consumer, LaneSlots, worker_name
from tasks.heartbeat import Workers
from tasks.lanes import PASSWORD, QUERY
from tasks.lease import Handler
from tasks.settings import QueueSettings
from tests.integration.app.conftest import wait_until


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    yield folder
    place_for(folder).remove()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def own_redis(folder: Path) -> Iterator[str]:
    """URL of a Valkey that writes what it is told to its disk at once."""
    settings = {"appendonly": "yes", "appendfsync": "always"}
    server = EmbeddedValkey(place_for(folder), settings=settings)
    with RunningServer(server.program(), folder / "valkey.log"):
        yield server.url(0)


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, database_url: str, own_redis: str
) -> dict[str, str]:
    """The environment of a replica and its workers; the queue is empty."""
    migrate(database_url, DatabaseSettings(url=database_url))
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": own_redis,
        "MILLRACE_QUEUE_BLOCK_S": "0.1",
        "MILLRACE_PASSWORD_MAX_QUEUED": "2",
        "MILLRACE_LOG_LEVEL": "debug",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with redis.Redis.from_url(own_redis) as client:
        client.flushdb()
    return environment


@pytest.fixture
def queue(environment: dict[str, str]) -> Iterator[redis.Redis]:
    with connect(QueueSettings(), "test") as client:
        yield client


@pytest.fixture
def services(environment: dict[str, str]) -> Iterator[Services]:
    services = build_services(ReplicaSettings.from_environment())
    services.own_database.open()
    yield services
    close(services)


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return build_app(services).test_client()


@contextmanager
def running_worker(log: Path, queue: redis.Redis, **environment: str) -> Iterator[None]:
    """Run a worker in a process of its own until the block is left."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker"], env={**os.environ, **environment},
            stdout=file, stderr=file,
        )  # fmt: skip
    try:
        roll = Workers(queue)
        wait_until(
            lambda: any(worker.pid == process.pid for worker in roll.list()),
            "the worker is on the roll",
        )
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def lane_of(queue: redis.Redis, handler: Handler) -> Iterator[None]:
    """Serve the password lane in threads of this process, by another handler than the worker's."""
    name = worker_name()
    consumer = Consumer(
        queue, QueueSettings(), name=name,
        lanes=[LaneSlots(QUERY, 1, handler), LaneSlots(PASSWORD, 1, handler)],
    )  # fmt: skip
    thread = threading.Thread(target=consumer.run, kwargs={"drain_timeout_s": 5.0})
    thread.start()
    try:
        wait_until(lambda: bool(Workers(queue).list()), "the worker is on the roll")
        yield
    finally:
        consumer.stop()
        thread.join()

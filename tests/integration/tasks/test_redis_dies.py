"""A Redis that hangs or restarts: callers learn it soon, workers come back by themselves."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.embedded.place import place_for
from cli.embedded.program import RunningServer
from cli.embedded.valkey import EmbeddedValkey
from tasks.client import connect
from tasks.consumer import Consumer, LaneSlots, worker_name
from tasks.dispatcher import Dispatcher
from tasks.errors import QueueError, QueueUnavailable
from tasks.heartbeat import Workers
from tasks.lanes import QUERY
from tasks.settings import QueueSettings
from tests.integration.tasks.conftest import SHORT, Crew, Events, eventually
from tests.integration.tasks.programmed_worker import handle
from tests.redis_server import given_server


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    yield folder
    place_for(folder).remove()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(folder: Path) -> Iterator[RunningServer]:
    """A Valkey of this test alone, which keeps nothing."""
    valkey = EmbeddedValkey(place_for(folder), settings={"appendonly": "no"}, server=given_server())
    program = valkey.program()
    with RunningServer(program, folder / "valkey.log") as server:
        yield server


@pytest.fixture
def redis_url(folder: Path, server: RunningServer) -> str:
    return EmbeddedValkey(place_for(folder)).url()


@pytest.fixture
def settings(redis_url: str) -> QueueSettings:
    return QueueSettings(url=redis_url, socket_timeout_s=1.0, **SHORT)


def echoes(dispatcher: Dispatcher) -> bool:
    try:
        with dispatcher.scatter([b"echo 1"], timeout_s=20) as scatter:
            return [reply.payload for reply in scatter.gather()] == [b"1"]
    except QueueError:
        return False


def test_a_redis_that_hangs_holds_nobody_up_for_long(
    crew: Crew, dispatcher: Dispatcher, server: RunningServer
) -> None:
    crew.start()
    eventually(lambda: echoes(dispatcher))
    try:
        os.kill(server.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(QueueUnavailable):
            dispatcher.scatter([b"echo 1"], timeout_s=60)
        assert time.monotonic() - began < 45
    finally:
        os.kill(server.pid, signal.SIGCONT)
    eventually(lambda: echoes(dispatcher))


def test_a_gatherer_is_told_when_redis_dies(
    crew: Crew, dispatcher: Dispatcher, server: RunningServer
) -> None:
    crew.start(drain_timeout_s=0.1)
    with dispatcher.scatter([b"wait 60"], timeout_s=100) as scatter:
        server.kill()
        with pytest.raises(QueueUnavailable):
            list(scatter.gather())


def test_after_a_restart_everything_works_again_and_the_outage_is_one_event(
    crew: Crew, dispatcher: Dispatcher, server: RunningServer, events: Events
) -> None:
    def outages() -> list[str]:
        return [name for name, _ in events if name.startswith("redis_outage")]

    crew.start()
    server.kill()
    eventually(outages)
    server.start()
    eventually(lambda: echoes(dispatcher))
    eventually(lambda: "redis_outage_ended" in outages())
    assert outages() == ["redis_outage_began", "redis_outage_ended"]


def test_a_worker_that_starts_before_redis_waits_for_it(
    settings: QueueSettings, dispatcher: Dispatcher, server: RunningServer
) -> None:
    server.kill()
    with connect(settings, "test") as client:
        told = threading.Event()
        lanes = [LaneSlots(QUERY, 1, handle)]
        consumer = Consumer(
            client, settings, name=worker_name(), lanes=lanes, on_event=lambda *_, **__: told.set()
        )
        thread = threading.Thread(target=consumer.run, kwargs={"drain_timeout_s": 5.0})
        thread.start()
        assert told.wait(60)
        server.start()
        eventually(Workers(client).list)
        eventually(lambda: echoes(dispatcher))
        consumer.stop()
        thread.join(60)
        assert not thread.is_alive()

"""A Redis without memory, or one that hangs: told soon, nothing stuck, and all well afterwards."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from cli.embedded.program import RunningServer
from tasks.client import connect
from tasks.dead_letters import dead_letters
from tasks.dispatcher import Dispatcher
from tasks.errors import NoWorkers, QueueError, QueueUnavailable
from tasks.heartbeat import Workers
from tasks.lanes import QUERY, lane_status
from tasks.settings import QueueSettings
from tests.integration.tasks.conftest import MISSED_SOON, Crew, behind, eventually
from tests.integration.tasks.test_redis_dies import (  # noqa: F401 - fixtures
    echoes,
    folder,
    redis_url,
    server,
    settings,
)


@contextmanager
def full(client: redis.Redis) -> Iterator[None]:
    """Leave the server no memory inside the context, and let it evict nothing."""
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    try:
        yield
    finally:
        client.config_set("maxmemory", "0")


@contextmanager
def hanging(server: RunningServer) -> Iterator[None]:  # noqa: F811
    """Have the server accept everything and answer nothing inside the context."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_a_full_redis_takes_no_tasks_and_says_so_at_once(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    crew.start(slots=1)
    eventually(lambda: echoes(dispatcher))
    with full(client):
        with pytest.raises(QueueUnavailable, match="maxmemory"):
            dispatcher.scatter([b"echo 1"], timeout_s=60)
        assert lane_status(client, QUERY).length == 0
    eventually(lambda: echoes(dispatcher))


def test_answers_that_a_full_redis_refuses_keep_nobody_waiting(
    settings: QueueSettings,  # noqa: F811
    dispatcher: Dispatcher,
    client: redis.Redis,
    crew_of: Callable[[QueueSettings], Crew],
) -> None:
    # the worker is missed before its tasks have been given out again and again
    crew = crew_of(settings.model_copy(update=MISSED_SOON | {"lease_s": 2.0}))
    gate = threading.Event()
    crew.start(slots=2, handler=behind(gate))
    began = time.monotonic()
    with dispatcher.scatter([b"echo 1", b"echo 2"], timeout_s=120) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 2)
        with full(client):
            gate.set()
            with pytest.raises((NoWorkers, QueueUnavailable)):
                list(scatter.gather())
    assert time.monotonic() - began < 100
    # heartbeats come back, and what is left of the tasks is cleared away, not called poison
    eventually(crew.names)
    eventually(lambda: echoes(dispatcher))
    eventually(lambda: lane_status(client, QUERY).length == lane_status(client, QUERY).pending == 0)
    assert dead_letters(client).count == 0
    assert not client.keys("millrace:reply:*")


def test_a_query_outlives_a_moment_of_full_memory(
    dispatcher: Dispatcher,
    client: redis.Redis,
    settings: QueueSettings,  # noqa: F811
    crew_of: Callable[[QueueSettings], Crew],
) -> None:
    # how long that moment is, is the machine's affair
    crew = crew_of(settings.model_copy(update={"heartbeat_ttl_s": 60.0, "max_deliveries": 100}))
    gate = threading.Event()
    crew.start(slots=1, handler=behind(gate))

    def deliveries() -> int:
        [found] = client.xpending_range(QUERY.stream, "workers", "-", "+", 1)
        return int(found["times_delivered"])

    with dispatcher.scatter([b"echo 1"], timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)
        with full(client):
            gate.set()
            # the answer is refused, and the task is given out again
            eventually(lambda: deliveries() > 1)
        (reply,) = scatter.gather()
    assert reply.payload == b"1"


def test_while_redis_hangs_one_caller_a_second_waits_and_the_others_know(
    crew: Crew,
    settings: QueueSettings,  # noqa: F811
    server: RunningServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crew.start(slots=1)
    stopped_at: list[float] = []  # within one second, however long it takes
    with connect(settings, "test") as client:
        dispatcher = Dispatcher(
            client, settings, monotonic=lambda: stopped_at[0] if stopped_at else time.monotonic()
        )
        eventually(lambda: echoes(dispatcher))
        with hanging(server):
            stopped_at.append(time.monotonic())
            with pytest.raises(QueueUnavailable):
                dispatcher.scatter([b"echo 1"], timeout_s=60)
            with monkeypatch.context() as patched:
                asked: list[int] = []
                patched.setattr(client.connection_pool, "get_connection", lambda: asked.append(1))
                for _ in range(20):
                    with pytest.raises(QueueUnavailable):
                        dispatcher.scatter([b"echo 1"], timeout_s=60)
                assert asked == []
            stopped_at.clear()
        eventually(lambda: echoes(dispatcher))


def test_who_waits_for_answers_while_redis_hangs_is_told(
    crew: Crew,
    dispatcher: Dispatcher,
    client: redis.Redis,
    server: RunningServer,  # noqa: F811
) -> None:
    gate = threading.Event()
    crew.start(slots=1, handler=behind(gate))
    with dispatcher.scatter([b"echo 1"], timeout_s=120) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)
        with hanging(server), pytest.raises(QueueUnavailable):
            list(scatter.gather())
    gate.set()
    eventually(lambda: echoes(dispatcher))


def test_a_worker_leaves_in_order_though_redis_hangs(
    crew: Crew,
    dispatcher: Dispatcher,
    server: RunningServer,  # noqa: F811
) -> None:
    worker = crew.start(slots=2, drain_timeout_s=60.0)
    eventually(lambda: echoes(dispatcher))
    with hanging(server):
        worker.consumer.stop()
        worker.thread.join(90)
        assert not worker.thread.is_alive()
        assert worker.drained == [True]


def test_no_thread_of_a_worker_is_stuck_after_a_hang(
    crew: Crew,
    dispatcher: Dispatcher,
    settings: QueueSettings,  # noqa: F811
    server: RunningServer,  # noqa: F811
) -> None:
    others = set(threading.enumerate())
    worker = crew.start(slots=3)
    its_own = {thread.name for thread in set(threading.enumerate()) - others}
    eventually(lambda: echoes(dispatcher))
    with hanging(server), connect(settings, "other") as other, pytest.raises(QueueError):
        Workers(other).list()
    eventually(lambda: worker.name in crew.names())
    with dispatcher.scatter([b"wait 0.2"] * 9, timeout_s=60) as scatter:
        assert len(list(scatter.gather())) == 9
    assert its_own <= {thread.name for thread in threading.enumerate()}

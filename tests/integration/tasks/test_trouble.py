"""What happens when workers die, hang or leave, and when Redis forgets."""

import signal
import threading
import time
from collections.abc import Callable

import pytest
import redis

from tasks.client import connect
from tasks.dispatcher import Dispatcher
from tasks.errors import NoWorkers, QueueUnavailable, Stopped, TaskFailed
from tasks.lanes import GROUP, QUERY, lane_status
from tasks.lease import Lease
from tasks.scatter import Scatter
from tasks.settings import QueueSettings
from tests.integration.tasks.conftest import (
    MISSED_SOON,
    PATIENT,
    Crew,
    behind,
    eventually,
    queued,
)


def test_a_killed_workers_task_is_run_by_another(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    doomed = crew.start_process(slots=1)
    with dispatcher.scatter([b"wait 60"], timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)
        survivor = crew.start(slots=1, handler=lambda _: b"run again")
        doomed.send_signal(signal.SIGKILL)
        (reply,) = scatter.gather()
    assert reply.payload == b"run again"
    assert reply.worker == survivor.name


def test_a_dead_workers_consumer_is_removed_once_it_holds_nothing(
    settings: QueueSettings,
    dispatcher: Dispatcher,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    crew_of: Callable[[QueueSettings], Crew],
) -> None:
    monkeypatch.setattr("tasks.keeper.TIDY_S", 0.1)
    crew = crew_of(settings.model_copy(update=MISSED_SOON))
    doomed = crew.start_process(slots=1)
    gate = threading.Event()

    def handle(lease: Lease) -> bytes:
        assert gate.wait(60)
        return b""

    survivor = crew.start(slots=1, handler=handle)
    with dispatcher.scatter([b"wait 60"] * 2, timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 2)
        doomed.kill()
        gate.set()
        assert len(list(scatter.gather())) == 2

    def consumers() -> list[str]:
        return [found["name"].decode() for found in client.xinfo_consumers(QUERY.stream, GROUP)]

    eventually(lambda: consumers() == [survivor.name])


def test_a_long_task_is_not_taken_over_while_its_worker_lives(
    settings: QueueSettings,
    dispatcher: Dispatcher,
    client: redis.Redis,
    crew_of: Callable[[QueueSettings], Crew],
) -> None:
    crew = crew_of(settings.model_copy(update=PATIENT))
    gate = threading.Event()
    runs: list[str] = []

    def handle(lease: Lease) -> bytes:
        runs.append(lease.task.id)
        assert gate.wait(60)
        return b""

    def idle_ms() -> int:
        [held] = client.xpending_range(QUERY.stream, GROUP, "-", "+", 1)
        return int(held["time_since_delivered"])

    crew.start(slots=1, handler=handle)
    crew.start(slots=1, handler=handle)
    with dispatcher.scatter([b""], timeout_s=60) as scatter:
        eventually(lambda: runs)
        for _ in range(3):
            [held] = client.xpending_range(QUERY.stream, GROUP, "-", "+", 1)
            owner = held["consumer"]
            assert isinstance(owner, bytes)
            # as if the lease of a minute were about to lapse
            client.xclaim(QUERY.stream, GROUP, owner, 0, (runs[0],), idle=30_000, justid=True)
            eventually(lambda: idle_ms() < 30_000)
        gate.set()
        assert len(list(scatter.gather())) == 1
    assert len(runs) == 1


def test_a_task_that_kills_its_workers_is_given_up(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    crew.start(slots=1)
    with dispatcher.scatter([b"wait 60"], timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)
        (task,) = queued(client)
        # as after three workers that died of it
        client.xclaim(QUERY.stream, GROUP, "dead", 0, [task.id], idle=10_000, retrycount=3)
        crew.start(slots=1)
        (reply,) = scatter.gather()
    assert reply.error == "given up: delivered 3 times and never finished"


def test_a_draining_worker_finishes_what_it_holds_and_leaves(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    gate = threading.Event()
    leaving = crew.start(slots=1, handler=behind(gate), drain_timeout_s=60.0)
    with dispatcher.scatter([b"echo 1"], timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)
        leaving.consumer.stop()
        gate.set()
        (reply,) = scatter.gather()
        assert reply.payload == b"1"
    leaving.thread.join(60)
    assert leaving.drained == [True]
    assert crew.names() == set()
    assert client.xinfo_consumers(QUERY.stream, GROUP) == []


def test_what_a_worker_cannot_finish_in_time_is_run_by_another(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    leaving = crew.start(slots=1, drain_timeout_s=0.1)
    with dispatcher.scatter([b"wait 60"], timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)
        leaving.consumer.stop()
        leaving.thread.join(60)
        assert leaving.drained == [False]
        crew.start(slots=1, handler=lambda _: b"run again")
        assert [reply.payload for reply in scatter.gather()] == [b"run again"]


def test_when_the_last_worker_dies_the_gatherer_is_told(
    settings: QueueSettings,
    dispatcher: Dispatcher,
    client: redis.Redis,
    crew_of: Callable[[QueueSettings], Crew],
) -> None:
    crew = crew_of(settings.model_copy(update=MISSED_SOON))
    doomed = crew.start_process(slots=1)
    with dispatcher.scatter([b"wait 60"], timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)
        doomed.kill()
        began = time.monotonic()
        with pytest.raises(NoWorkers):
            list(scatter.gather())
    assert time.monotonic() - began < 45


def test_a_wiped_redis_heals_also_for_tasks_in_flight(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    gate = threading.Event()
    crew.start(slots=1, handler=behind(gate))
    with dispatcher.scatter([b"echo 0", b"echo 1"], timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)
        client.flushdb()
        eventually(crew.names)  # before that, no worker is known to be left
        gate.set()
        replies = list(scatter.gather())
    assert sorted(reply.payload for reply in replies) == [b"0", b"1"]
    with dispatcher.scatter([b"echo 2"], timeout_s=60) as scatter:
        assert [reply.payload for reply in scatter.gather()] == [b"2"]


def test_scripts_that_redis_forgot_are_loaded_again(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    crew.start(slots=1)
    for number in range(3):
        client.script_flush()
        with dispatcher.scatter([b"echo %d" % number], timeout_s=60) as scatter:
            assert [reply.payload for reply in scatter.gather()] == [b"%d" % number]


def test_cut_connections_are_made_again(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    crew.start(slots=2)
    client.client_kill_filter(_type="normal", skipme=True)
    with dispatcher.scatter([b"echo 1", b"echo 2"], timeout_s=60) as scatter:
        assert len(list(scatter.gather())) == 2


def test_a_straggler_is_sent_once_more_and_the_first_reply_wins(
    crew: Crew, client: redis.Redis, settings: QueueSettings
) -> None:
    slow_once = threading.Lock()
    payloads: list[bytes] = []

    def handle(lease: Lease) -> bytes:
        payloads.append(lease.task.payload)
        if lease.task.payload == b"slow" and slow_once.acquire(blocking=False):
            cancelled = threading.Event()
            with lease.cancelling(cancelled.set):
                cancelled.wait(60)
        return b"quick"

    crew.start(slots=2, handler=handle)
    dispatcher = Dispatcher(client, settings.model_copy(update={"straggler_s": 0.3}))
    with dispatcher.scatter([b"slow", b"easy"], timeout_s=60) as scatter:
        assert sorted(reply.index for reply in scatter.gather()) == [0, 1]
    assert payloads.count(b"slow") == 2
    eventually(lambda: lane_status(client, QUERY).pending == 0)


def test_without_redis_the_caller_is_told_and_the_next_ones_at_once(
    settings: QueueSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = settings.model_copy(update={"url": "unix:///nowhere/valkey.sock"})
    with connect(nowhere, "test") as client:
        dispatcher = Dispatcher(client, nowhere, monotonic=lambda: 0.0)
        with pytest.raises(QueueUnavailable):
            dispatcher.scatter([b""], timeout_s=1)
        asked: list[object] = []
        monkeypatch.setattr(client.connection_pool, "get_connection", lambda: asked.append(1))
        with pytest.raises(QueueUnavailable):
            dispatcher.capacity()
        assert asked == []


def test_a_gathering_that_is_stopped_ends_at_once_with_its_tasks(
    crew: Crew, client: redis.Redis, settings: QueueSettings
) -> None:
    started, cancelled = threading.Semaphore(0), threading.Semaphore(0)

    def handle(lease: Lease) -> bytes:
        told = threading.Event()
        started.release()
        with lease.cancelling(told.set):
            told.wait(60)
        assert lease.cancel_reason == "cancelled"
        cancelled.release()
        raise TaskFailed("cancelled")

    crew.start(slots=1, handler=handle)
    dispatcher = Dispatcher(client, settings)

    def stop_once_one_runs(scatter: Scatter) -> None:
        started.acquire()
        scatter.stop()

    with dispatcher.scatter([b"runs", b"waits"], timeout_s=60) as scatter:
        other = threading.Thread(target=stop_once_one_runs, args=[scatter])
        other.start()
        with pytest.raises(Stopped, match="2 tasks"):
            list(scatter.gather())
        other.join()
    assert cancelled.acquire(timeout=30)
    assert not started.acquire(blocking=False)  # what was queued is gone
    eventually(lambda: lane_status(client, QUERY).length == 0)


def test_workers_that_drain_under_load_finish_what_they_hold_and_no_task_runs_twice(
    settings: QueueSettings, dispatcher: Dispatcher, crew_of: Callable[[QueueSettings], Crew]
) -> None:
    crew = crew_of(settings.model_copy(update=PATIENT))
    runs: list[bytes] = []

    def handle(lease: Lease) -> bytes:
        runs.append(lease.task.payload)
        threading.Event().wait(0.02)
        return lease.task.payload

    leaving = [crew.start(slots=2, handler=handle) for _ in range(2)]
    payloads = [b"%d" % number for number in range(100)]
    with dispatcher.scatter(payloads, timeout_s=60) as scatter:
        replies = scatter.gather()
        for worker in leaving:
            next(replies)
            crew.start(slots=2, handler=handle)
            worker.consumer.stop()
            worker.thread.join(60)
            assert worker.drained == [True]
        answered = len(list(replies)) + len(leaving)
    assert answered == len(payloads)
    assert sorted(runs) == sorted(payloads)

"""Tasks go out, replies come back; errors are answers, and limits are kept."""

import threading
import time
from itertools import chain

import pytest
import redis

from tasks.dispatcher import Dispatcher, new_reply_to
from tasks.errors import GatherTimeout, NoWorkers, QueueFull
from tasks.heartbeat import Workers
from tasks.lanes import QUERY, lane_status, reply_key
from tasks.lease import Lease
from tasks.link import borrowed
from tasks.message import Reply, Task
from tasks.settings import QueueSettings
from tests.integration.tasks.conftest import Crew, eventually


def test_every_task_is_answered_once_whatever_the_order(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    crew.start(slots=2)
    crew.start(slots=2)
    payloads = [b"wait 0.1", *(b"echo %d" % number for number in range(1, 20))]
    with dispatcher.scatter(payloads, timeout_s=60) as scatter:
        replies = list(scatter.gather())
    assert sorted(reply.index for reply in replies) == list(range(20))
    assert {r.index: r.payload for r in replies if r.index} == {
        number: b"%d" % number for number in range(1, 20)
    }
    assert all(reply.error is None for reply in replies)
    assert {reply.worker for reply in replies} <= crew.names()
    assert lane_status(client, QUERY).length == 0
    assert not client.keys("millrace:reply:*")


def test_a_handlers_errors_are_answers_and_do_not_stop_the_slot(
    crew: Crew, dispatcher: Dispatcher
) -> None:
    crew.start(slots=1)
    with dispatcher.scatter([b"fail as it is", b"break why", b"echo on"], timeout_s=60) as scatter:
        errors = {reply.index: reply.error for reply in scatter.gather()}
    assert errors == {0: "as it is", 1: "ValueError: why", 2: None}


def test_a_reply_tells_how_long_the_task_ran(crew: Crew, dispatcher: Dispatcher) -> None:
    crew.start(slots=1)
    with dispatcher.scatter([b"wait 0.5", b"echo 2"], timeout_s=60) as scatter:
        first, second = scatter.gather()
    assert first.ran_s >= 0.5
    assert second.queued_s >= 0.25  # by a worker's idea of Redis's time


def test_a_queue_without_workers_is_refused_at_once(dispatcher: Dispatcher) -> None:
    with pytest.raises(NoWorkers):
        dispatcher.scatter([b"echo 1"], timeout_s=60)
    assert dispatcher.capacity().workers == 0


def test_a_full_queue_is_refused_whole(
    crew: Crew, client: redis.Redis, settings: QueueSettings
) -> None:
    crew.start(slots=1)
    dispatcher = Dispatcher(client, settings.model_copy(update={"max_length": 3}))
    with dispatcher.scatter([b"wait 60", b"wait 60"], timeout_s=60):
        with pytest.raises(QueueFull) as refusal:
            dispatcher.scatter([b"echo 1", b"echo 2"], timeout_s=60)
        assert refusal.value.length == 2
        assert lane_status(client, QUERY).length == 2


def test_the_deadline_ends_the_gathering_and_names_what_is_missing(
    crew: Crew, client: redis.Redis, settings: QueueSettings
) -> None:
    crew.start(slots=2)
    passed_s = 0.0
    dispatcher = Dispatcher(client, settings, monotonic=lambda: time.monotonic() + passed_s)
    with dispatcher.scatter([b"echo 1", b"wait 60"], timeout_s=60) as scatter:
        replies = scatter.gather()
        assert next(replies).index == 0
        passed_s = 60.0
        with pytest.raises(GatherTimeout) as late:
            next(replies)
    assert late.value.missing == (1,)


def test_an_expired_task_is_dropped_unread(crew: Crew, client: redis.Redis) -> None:
    ran: list[bytes] = []

    def handle(lease: Lease) -> bytes:
        ran.append(lease.task.payload)
        return b""

    expired = Task("", 0, 1000, "nobody", b"").fields()
    a_minute_ago = f"{int(time.time() - 60) * 1000}-0"
    with borrowed(client) as link:
        link.call("XADD", QUERY.stream, a_minute_ago, *chain.from_iterable(expired.items()))
    crew.start(slots=1, handler=handle)
    eventually(lambda: lane_status(client, QUERY).length == 0)
    assert ran == []
    assert not client.exists("millrace:reply:nobody")
    assert lane_status(client, QUERY).pending == 0


def test_garbage_in_the_stream_is_dropped(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    client.xadd(QUERY.stream, {"what": "ever"})
    crew.start(slots=1)
    with dispatcher.scatter([b"echo 1"], timeout_s=60) as scatter:
        assert [reply.payload for reply in scatter.gather()] == [b"1"]
    assert lane_status(client, QUERY).length == 0


def test_a_second_reply_to_the_same_task_is_dropped(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    gate = threading.Event()

    def handle(lease: Lease) -> bytes:
        assert lease.task.index == 0 or gate.wait(60)
        return b""

    crew.start(slots=2, handler=handle)
    reply_to = new_reply_to()
    with dispatcher.scatter([b"first", b"second"], timeout_s=60, reply_to=reply_to) as scatter:
        duplicate = Reply(0, b"duplicate", "other", None, 0.0, 0.0)
        replies = scatter.gather()
        assert next(replies).index == 0
        client.rpush(reply_key(reply_to), duplicate.encode())
        gate.set()
        assert [reply.index for reply in replies] == [1]


def test_capacity_counts_slots_of_workers_that_are_not_draining(
    crew: Crew, client: redis.Redis, settings: QueueSettings
) -> None:
    crew.start(slots=3)
    leaving = crew.start(slots=2)
    assert Dispatcher(client, settings).capacity().slots == 5
    with Dispatcher(client, settings).scatter([b"wait 60"] * 5, timeout_s=100):
        eventually(lambda: lane_status(client, QUERY).pending == 5)
        leaving.consumer.stop()
        eventually(lambda: any(worker.draining for worker in Workers(client).list()))
        assert Dispatcher(client, settings).capacity().slots == 3
        assert Dispatcher(client, settings).capacity().workers == 1


def test_leaving_a_scatter_cancels_what_is_queued_and_what_runs(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    crew.start(slots=1)
    began = time.monotonic()
    with dispatcher.scatter([b"wait 60", b"wait 60"], timeout_s=100):
        eventually(lambda: lane_status(client, QUERY).pending == 1)
    assert lane_status(client, QUERY).length == 0
    eventually(lambda: lane_status(client, QUERY).pending == 0)
    assert time.monotonic() - began < 30
    assert not client.keys("millrace:reply:*")


def test_a_task_that_would_wait_too_long_is_not_queued(
    crew: Crew, client: redis.Redis, settings: QueueSettings
) -> None:
    crew.start(slots=1)
    patient = Dispatcher(client, settings)
    with patient.scatter([b"wait 0.5"], timeout_s=60) as scatter:
        list(scatter.gather())
    eventually(lambda: patient.capacity().rate)
    with patient.scatter([b"wait 60"] * 4, timeout_s=100):
        hasty = Dispatcher(client, settings)
        with pytest.raises(QueueFull, match="4 tasks already") as refusal:
            hasty.scatter([b"echo 1"], timeout_s=1)
        assert refusal.value.wait_s is not None
        assert refusal.value.wait_s > 0.5
        assert lane_status(client, QUERY).length == 4

"""Clocks that jump do no harm: a worker's, a sender's, or Redis's own."""

import threading
import time

import pytest
import redis

from tasks.dispatcher import Dispatcher
from tasks.heartbeat import WORKERS, Workers
from tasks.lanes import QUERY, lane_status
from tests.integration.tasks.conftest import Crew, behind, eventually

HOUR_S = 3600.0


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_a_jump_of_a_hosts_clock_changes_nothing(
    crew: Crew, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    crew.start(slots=2)
    clock = time.time
    with dispatcher.scatter([b"wait 1.2", b"echo 1", b"wait 1.2"], timeout_s=30) as scatter:
        replies = scatter.gather()
        assert next(replies).payload == b"1"
        monkeypatch.setattr(time, "time", lambda: clock() + jump_s)
        others = list(replies)
    assert [reply.attempt for reply in others] == [1, 1]
    assert all(0 <= reply.queued_s < 20 for reply in others)
    with dispatcher.scatter([b"echo 2"], timeout_s=30) as scatter:
        assert [reply.payload for reply in scatter.gather()] == [b"2"]


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
def test_a_worker_that_is_wrong_about_rediss_time_loses_no_task(
    crew: Crew, dispatcher: Dispatcher, jump_s: float
) -> None:
    worker = crew.start(slots=1)
    now_ms = int(time.time() * 1000)
    # until its next heartbeat it takes all tasks for an hour older, or younger, than they are
    worker.consumer._clock.set(now_ms + int(jump_s * 1000))
    with dispatcher.scatter([b"echo 1"], timeout_s=30) as scatter:
        assert [reply.payload for reply in scatter.gather()] == [b"1"]


def test_a_dead_worker_is_not_alive_for_an_hour_where_rediss_clock_was_set_back(
    crew: Crew, client: redis.Redis
) -> None:
    worker = crew.start(slots=1)
    in_an_hour_ms = (time.time() + HOUR_S) * 1000
    client.zadd(WORKERS, {"dead": in_an_hour_ms})
    client.zadd(QUERY.takers, {"dead": in_an_hour_ms})
    eventually(lambda: client.zscore(WORKERS, "dead") is None)
    eventually(lambda: client.zscore(QUERY.takers, "dead") is None)
    assert {record.name for record in Workers(client).list()} == {worker.name}


def test_leases_that_lapse_because_rediss_clock_jumps_end_in_one_answer(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    gate = threading.Event()
    crew.start(slots=1, handler=behind(gate))
    crew.start(slots=1, handler=behind(gate))

    with dispatcher.scatter([b"echo 1"], timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)

        def is_taken_over() -> bool:
            [held] = client.xpending_range(QUERY.stream, "workers", "-", "+", 1)
            owner, entry_id = held["consumer"], held["message_id"]
            assert isinstance(owner, bytes)
            assert isinstance(entry_id, bytes)
            if held["times_delivered"] == 1:
                # as if nobody had renewed it for an hour; its worker may do so before it is seen
                client.xclaim(
                    QUERY.stream, "workers", owner, 0, [entry_id], idle=3_600_000, justid=True
                )
            return int(held["times_delivered"]) == 2

        eventually(is_taken_over)
        gate.set()
        assert [reply.payload for reply in scatter.gather()] == [b"1"]
    eventually(lambda: lane_status(client, QUERY).length == lane_status(client, QUERY).pending == 0)

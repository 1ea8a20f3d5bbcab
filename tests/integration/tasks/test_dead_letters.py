"""What is given up is recorded, bounded, without secrets; and it takes no more workers with it."""

import hashlib
import time
from itertools import chain

import redis

from tasks.dead_letters import DEAD, MOST_KEPT, MOST_SHOWN, dead_letters, record
from tasks.dispatcher import Dispatcher
from tasks.lanes import PASSWORD, QUERY, lane_status
from tasks.link import borrowed
from tasks.message import Task
from tests.integration.tasks.conftest import Crew, Events, eventually


def test_a_task_that_kills_its_workers_kills_three_and_no_more(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    doomed = crew.start_processes(4, slots=1)
    before_ms = int(time.time() * 1000)
    with dispatcher.scatter([b"die"], timeout_s=60) as scatter:
        (reply,) = scatter.gather()
    assert reply.error == "given up: delivered 3 times and never finished"
    assert [process.poll() is None for process in doomed].count(True) == 1
    dead = dead_letters(client)
    assert dead.count == 1
    (letter,) = dead.latest
    assert (letter.lane, letter.cause, letter.deliveries) == ("query", reply.error, 3)
    assert (letter.payload, letter.digest) == ("die", hashlib.sha256(b"die").hexdigest())
    assert letter.worker == reply.worker
    assert 0 <= letter.at_ms - before_ms < 60_000
    assert lane_status(client, QUERY).length == 0


def test_a_stragglers_copy_is_not_delivered_twice(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    copy = Task("", 0, 60_000, "nobody", b"die", is_copy=True).fields()
    crew.start_process(slots=1)
    with borrowed(client) as link:
        link.call("XADD", QUERY.stream, "*", *chain.from_iterable(copy.items()))
    eventually(lambda: lane_status(client, QUERY).pending == 1)
    crew.start(slots=1)
    eventually(lambda: lane_status(client, QUERY).length == 0)
    assert dead_letters(client).count == 0
    assert lane_status(client, QUERY).pending == 0


def test_a_malformed_message_is_recorded_and_taken_out(
    crew: Crew, client: redis.Redis, events: Events
) -> None:
    client.xadd(QUERY.stream, {"what": "ever"})
    crew.start(slots=1)
    eventually(lambda: dead_letters(client).count == 1)
    (letter,) = dead_letters(client).latest
    assert letter.cause.startswith("malformed: entry")
    assert (letter.deliveries, letter.payload) == (1, "what=ever")
    eventually(lambda: lane_status(client, QUERY).length == 0)
    eventually(lambda: [name for name, _ in events] == ["dead_letter"])


def test_what_a_handler_cannot_read_is_answered_and_recorded(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis
) -> None:
    crew.start(slots=1)
    with dispatcher.scatter([b"misread \xff"], timeout_s=60) as scatter:
        (reply,) = scatter.gather()
    assert reply.error is not None
    assert reply.error.startswith("UnicodeDecodeError")
    assert dead_letters(client).count == 0
    with dispatcher.scatter([b"misread"], timeout_s=60) as scatter:
        (reply,) = scatter.gather()
    assert reply.error == "malformed: no such payload"
    assert dead_letters(client).latest[0].cause == reply.error


def test_a_task_whose_lease_lapsed_is_an_event(
    crew: Crew, dispatcher: Dispatcher, client: redis.Redis, events: Events
) -> None:
    doomed = crew.start_process(slots=1)
    with dispatcher.scatter([b"wait 60"], timeout_s=60) as scatter:
        eventually(lambda: lane_status(client, QUERY).pending == 1)
        doomed.kill()
        crew.start(slots=1, handler=lambda _: b"")
        assert [reply.attempt for reply in scatter.gather()] == [2]
    assert ("lease_reclaimed", "its worker did not renew its lease") in events


def test_nothing_of_a_secret_is_in_the_record() -> None:
    assert b"hunter2" not in b"".join(
        str(part).encode() for part in record(PASSWORD, "why", 3, "w", b"hunter2")
    )
    assert record(PASSWORD, "why", 3, "w", b"hunter2")[-3:] == ["", "payload", ""]


def test_a_record_is_short_and_readable_whatever_the_payload(client: redis.Redis) -> None:
    for payload in (b"\xff" * 10, "é".encode() * 1000, b""):
        with borrowed(client) as link:
            link.call("XADD", DEAD, "*", *record(QUERY, "why", 1, "w", payload))
        letter = dead_letters(client, most=1).latest[0]
        assert len(letter.payload.encode()) <= 3 * MOST_SHOWN


def test_the_record_is_bounded(crew: Crew, client: redis.Redis) -> None:
    with borrowed(client) as link:
        letter = record(QUERY, "why", 1, "w", b"x")
        link.calls(*[("XADD", DEAD, "*", *letter)] * (MOST_KEPT + 500))
    client.xadd(QUERY.stream, {"what": "ever"})
    crew.start(slots=1)
    eventually(lambda: dead_letters(client, 1).latest[0].payload == "what=ever")
    assert MOST_KEPT <= dead_letters(client).count <= MOST_KEPT + 200

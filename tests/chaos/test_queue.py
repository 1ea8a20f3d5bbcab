"""The queue, with a spoilt line between one of its programs and Redis.

Whatever the line does: each task has its own answer, or the sender is told to do without.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli.faults.rules import Rule, Rules
from tasks.client import connect
from tasks.dispatcher import Dispatcher
from tasks.errors import QueueError
from tasks.heartbeat import Workers
from tasks.lanes import QUERY, lane_status
from tasks.settings import QueueSettings
from tests.chaos.local_proxy import LocalProxy, until
from tests.integration.tasks.conftest import SHORT, Crew

TASKS = [f"echo {number}".encode() for number in range(30)]
ANSWERS = {index: str(index).encode() for index in range(30)}
# of who is at the far end of the line
HASTY: dict[str, Any] = {"socket_timeout_s": 0.4, "connect_timeout_s": 0.4}

Harm = Callable[[LocalProxy], object]


def _refuse(proxy: LocalProxy) -> None:
    proxy.set(Rules(refuse=True))
    proxy.cut()


HARMS: dict[str, Harm] = {
    "cut": LocalProxy.cut,
    "refuse": _refuse,
    "black hole": lambda proxy: proxy.set(
        Rules(to_server=Rule(swallow=True), to_client=Rule(swallow=True))
    ),
    "answers lost": lambda proxy: proxy.set(Rules(to_client=Rule(swallow=True))),
    "closed by Redis": LocalProxy.half_open,
    "closed by us": lambda proxy: proxy.half_open("client"),
    "slow": lambda proxy: proxy.set(Rules(to_client=Rule(delay_s=0.05, jitter_s=0.05))),
    "cut in an answer": lambda proxy: proxy.set(Rules(to_client=Rule(cut_after_bytes=3))),
}
harmed = pytest.mark.parametrize("harm", list(HARMS.values()), ids=list(HARMS))


def _crew(url: str, **times: Any) -> Iterator[Crew]:
    settings = QueueSettings(url=url, **SHORT, **times)
    with connect(settings, "test") as client:
        crew = Crew(settings, client, events=[])
        yield crew
        crew.stop()


@pytest.fixture
def near(redis_url: str) -> Iterator[Crew]:
    yield from _crew(redis_url)


@pytest.fixture
def far(far_redis_url: str) -> Iterator[Crew]:
    yield from _crew(far_redis_url, **HASTY)


def _sender(url: str, **times: Any) -> Iterator[Dispatcher]:
    settings = QueueSettings(url=url, **SHORT, **times)
    with connect(settings, "test") as client:
        yield Dispatcher(client, settings)


@pytest.fixture
def near_sender(redis_url: str) -> Iterator[Dispatcher]:
    yield from _sender(redis_url)


@pytest.fixture
def far_sender(far_redis_url: str) -> Iterator[Dispatcher]:
    yield from _sender(far_redis_url, **HASTY)


def _answers(sender: Dispatcher, tasks: list[bytes], timeout_s: float = 20.0) -> dict[int, bytes]:
    with sender.scatter(tasks, timeout_s=timeout_s) as scatter:
        replies = list(scatter.gather())
    assert len({reply.index for reply in replies}) == len(replies)
    return {reply.index: reply.payload for reply in replies}


def _works(sender: Dispatcher) -> bool:
    try:
        return _answers(sender, TASKS) == ANSWERS
    except QueueError:
        return False


@harmed
def test_every_task_is_answered_when_a_workers_line_is_spoilt_and_another_has_a_good_one(
    near: Crew, far: Crew, near_sender: Dispatcher, valkey_proxy: LocalProxy, harm: Harm
) -> None:
    far.start(slots=3)
    near.start(slots=1)
    with near_sender.scatter([b"wait 0.1"] * 3 + TASKS, timeout_s=30) as scatter:
        harm(valkey_proxy)
        replies = {reply.index: reply.payload for reply in scatter.gather()}
    assert replies == dict(enumerate([b"waited"] * 3 + list(ANSWERS.values())))
    valkey_proxy.reset()
    until(lambda: _works(near_sender))


@harmed
def test_a_worker_whose_line_was_spoilt_takes_tasks_again(
    far: Crew, near_sender: Dispatcher, valkey_proxy: LocalProxy, redis_url: str, harm: Harm
) -> None:
    worker = far.start(slots=2)
    harm(valkey_proxy)
    for _ in range(3):
        _works_or_is_told(near_sender)
    valkey_proxy.reset()
    with connect(QueueSettings(url=redis_url), "test") as client:
        until(lambda: worker.name in {found.name for found in Workers(client).list()})
        until(lambda: _works(near_sender))
        until(lambda: lane_status(client, QUERY).pending == 0)


@harmed
def test_a_sender_whose_line_is_spoilt_gets_right_answers_or_is_told(
    near: Crew, far_sender: Dispatcher, valkey_proxy: LocalProxy, harm: Harm
) -> None:
    near.start(slots=2)
    until(lambda: _works(far_sender))
    harm(valkey_proxy)
    for _ in range(3):
        _works_or_is_told(far_sender)
    valkey_proxy.reset()
    until(lambda: _works(far_sender))


def _works_or_is_told(sender: Dispatcher) -> None:
    try:
        assert _answers(sender, TASKS, timeout_s=1.0) == ANSWERS
    except QueueError:
        return

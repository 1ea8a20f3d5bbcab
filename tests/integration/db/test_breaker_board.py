"""Operators hold the breakers of every process, by way of Redis and without PostgreSQL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis

from db.breaker import Breaker
from db.breaker_board import FORGOTTEN_S, STATES, BoardUnavailable, BreakerBoard, Order
from db.breaker_watch import BreakerWatch
from db.errors import BreakerOpen
from db.sqlstate import judge


@dataclass
class Process:
    """One process: its breaker, its watch, and its clock, which the test moves."""

    board: BreakerBoard
    now: float = 100.0

    def __post_init__(self) -> None:
        self.breaker = Breaker(judge, clock=lambda: self.now)
        self.watch = BreakerWatch(self.board, {"app": self.breaker}, clock=lambda: self.now)

    def is_refused(self) -> bool:
        """Try a call."""
        try:
            with self.breaker.guard():
                return False
        except BreakerOpen:
            return True


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
def dead_client() -> Iterator[redis.Redis]:
    with redis.Redis.from_url("redis://127.0.0.1:1/0", protocol=2) as client:
        yield client


def test_an_order_reaches_every_process_and_each_tells_its_state(client: redis.Redis) -> None:
    one, other = Process(BreakerBoard(client, "app")), Process(BreakerBoard(client, "worker"))
    operator = BreakerBoard(client, "operator")
    operator.give(Order("open", "the disk is being changed", 600.0))
    for process in (one, other):
        process.watch.look()
        assert process.is_refused()
        process.watch.look()
    order, states = operator.look()
    assert (order.mode, order.reason) == ("open", "the disk is being changed")
    assert order.left_s == pytest.approx(600.0, abs=60.0)
    assert [(one.program, one.mode, one.breakers) for one in states] == [
        ("app", "open", {"app": "open"}),
        ("worker", "open", {"app": "open"}),
    ]
    operator.give(Order("auto"))
    for process in (one, other):
        process.watch.look()
        assert not process.is_refused()
        assert process.breaker.state == "closed"


def test_an_order_ends_by_itself(client: redis.Redis) -> None:
    process, operator = Process(BreakerBoard(client, "app")), BreakerBoard(client, "operator")
    operator.give(Order("open", "", -1.0))
    assert operator.look()[0] == Order()
    process.watch.look()
    assert not process.is_refused()


def test_while_redis_is_away_the_last_order_holds_until_its_time_is_over(
    client: redis.Redis, dead_client: redis.Redis
) -> None:
    board = BreakerBoard(client, "app")
    process = Process(board)
    BreakerBoard(client, "operator").give(Order("open", "", 60.0))
    process.watch.look()
    board._client = dead_client
    process.watch.look()
    assert process.is_refused()
    process.now += 61.0
    process.watch.look()
    assert not process.is_refused()


def test_a_process_that_said_nothing_for_long_is_forgotten(client: redis.Redis) -> None:
    board = BreakerBoard(client, "app")
    Process(board).watch.look()
    assert len(board.look()[1]) == 1
    ((field, text),) = client.hgetall(STATES).items()
    said = json.loads(text)
    client.hset(STATES, field, json.dumps({**said, "at": said["at"] - FORGOTTEN_S - 1}))
    assert board.look()[1] == []
    assert client.hlen(STATES) == 0
    Process(board).watch.look()
    assert 0 < client.ttl(STATES) <= 60
    board.leave()
    assert board.look()[1] == []


def test_without_redis_an_operator_is_told(dead_client: redis.Redis) -> None:
    board = BreakerBoard(dead_client, "operator")
    for call in (board.look, board.leave, lambda: board.give(Order("open"))):
        with pytest.raises(BoardUnavailable):
            call()

"""How much of what replicas refuse is refused before it reaches them."""

import random

import pytest

from lb.throttle import Throttle

POST, QUERY = b"POST", b"/v1/query"


def throttle(factor: float = 2.0) -> Throttle:
    return Throttle(factor=factor, draw=random.Random(1).random, now=0.0)


def run(it: Throttle, offered: int, capacity: int, seconds: int, began: float = 0.0) -> int:
    """Offer so many requests a second to replicas; return how many reach them in the last one."""
    sent = 0
    for second in range(seconds):
        sent = 0
        for _ in range(offered):
            if it.watched and it.refuses(POST, QUERY):
                continue
            sent += 1
            if sent > capacity:
                it.refused_there(POST, QUERY, b"query", active=1)
        it.sweep(began + second + 1)
    return sent


def test_nothing_is_refused_while_replicas_refuse_nothing() -> None:
    it = throttle()
    assert run(it, offered=100, capacity=100, seconds=5) == 100
    assert not it.watched


@pytest.mark.parametrize("times", [3, 5, 20])
def test_replicas_get_about_twice_what_they_take(times: int) -> None:
    sent = run(throttle(), offered=100 * times, capacity=100, seconds=60)
    assert 150 <= sent <= 260


def test_little_too_much_is_left_to_the_replicas() -> None:
    assert run(throttle(), offered=150, capacity=100, seconds=30) == 150


def test_when_the_load_falls_all_requests_pass_again_and_the_path_is_forgotten() -> None:
    it = throttle()
    run(it, offered=1000, capacity=100, seconds=30)
    assert run(it, offered=50, capacity=100, seconds=30, began=30.0) == 50
    run(it, offered=50, capacity=100, seconds=200, began=60.0)
    assert not it.watched


def test_one_path_and_method_is_not_refused_for_another() -> None:
    it = throttle()
    run(it, offered=1000, capacity=0, seconds=10)
    assert it.refuses(POST, QUERY + b"?numbers=string")
    assert not any(it.refuses(b"GET", QUERY) for _ in range(100))
    assert not any(it.refuses(POST, b"/v1/hash") for _ in range(100))


@pytest.mark.parametrize("lane", [b"health", b"bulk"])
def test_some_lanes_are_never_refused_here(lane: bytes) -> None:
    it = throttle()
    assert all(it.refused_there(POST, QUERY, lane, active=1) for _ in range(100))
    assert not it.watched


def test_others_may_have_room_until_most_is_refused() -> None:
    it = throttle()
    for _ in range(100):  # one of two replicas refuses all, the other takes what it refuses
        it.refuses(POST, QUERY)
        assert it.refused_there(POST, QUERY, b"query", active=1)
        it.again(POST, QUERY)
    assert it.refused == 0
    for _ in range(20):
        it.refused_there(POST, QUERY, b"query", active=1)
    assert not it.refused_there(POST, QUERY, b"query", active=1)


def test_only_so_many_paths_are_watched() -> None:
    it = throttle()
    for number in range(1000):
        it.refused_there(POST, b"/v1/%d" % number, b"query", active=1)
    assert len(it.watched) == 64


def test_a_burst_of_which_most_is_taken_refuses_nothing_later() -> None:
    it = throttle()
    for _ in range(30):
        it.refused_there(POST, QUERY, b"query", active=64)
    assert not any(it.refuses(POST, QUERY) for _ in range(100))


def test_it_tells_when_it_begins_and_ends_to_refuse() -> None:
    told: list[tuple[str, object]] = []

    def emit(name: str, _cause: str, /, **facts: object) -> None:
        told.append((name, facts["path"]))

    it = Throttle(factor=2.0, draw=lambda: 0.0, now=0.0, emit=emit)
    for _ in range(20):
        it.refused_there(POST, QUERY + b"?secret", b"query", active=1)
    assert it.refuses(POST, QUERY + b"?secret")
    assert it.refuses(POST, QUERY + b"?secret")
    it.sweep(100.0)
    assert told == [("throttle_began", "/v1/query"), ("throttle_ended", "/v1/query")]

"""Both sliding windows against a naive exact log, and what they forget."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.limiter.window import Algorithm, make_window
from lb.limiter.window_counter import WindowCounter
from lb.limiter.window_log import WindowLog

WINDOW_S = 10.0

gaps = st.lists(
    st.sampled_from([0.0, 0.5, 1.0, 3.0, 9.0, 10.0, 11.0, 25.0]) | st.floats(0, 30), max_size=60
)


def times(gaps: list[float]) -> list[float]:
    made, now = [], 0.0
    for gap in gaps:
        now += gap
        made.append(now)
    return made


@given(st.integers(1, 40), gaps)
@settings(max_examples=300)
def test_the_log_decides_as_a_naive_exact_one(amount: int, gaps: list[float]) -> None:
    log = WindowLog(amount, WINDOW_S, max_clients=100, now=0.0)
    passed: list[float] = []
    for now in times(gaps):
        inside = [time for time in passed if time >= now - WINDOW_S]
        remaining, reset_s = log.take("a", now, amount)
        assert (remaining >= 0) == (len(inside) < amount)
        if remaining >= 0:
            passed.append(now)
            inside.append(now)
            assert remaining == amount - len(inside)
        assert reset_s == pytest.approx(inside[0] + WINDOW_S - now)
        log.sweep(now)


@given(st.integers(1, 40), gaps)
@settings(max_examples=300)
def test_the_counter_is_wrong_by_no_more_than_the_bucket_before(
    amount: int, gaps: list[float]
) -> None:
    counter = WindowCounter(WINDOW_S, max_clients=100, now=0.0)
    passed: list[float] = []
    for now in times(gaps):
        exact = sum(time > now - WINDOW_S for time in passed)
        bucket = now // WINDOW_S
        before = sum(time // WINDOW_S == bucket - 1 for time in passed)
        both = before + sum(time // WINDOW_S == bucket for time in passed)
        remaining, reset_s = counter.take("a", now, amount)
        if remaining >= 0:
            passed.append(now)
            assert exact < amount + before
            assert amount - exact - before - 1 <= remaining <= amount - exact - 1 + before
        else:
            assert both >= amount
            assert exact + before >= amount
        assert 0 < reset_s <= 2 * WINDOW_S
        counter.sweep(now)
    # the worst case: bursts about a bucket's end
    for end in passed:
        assert sum(end - WINDOW_S < time <= end for time in passed) < 2 * amount or amount == 1


@given(st.integers(1, 8), gaps)
def test_after_the_reset_there_is_one_more_in_the_counter_and_not_before(
    amount: int, gaps: list[float]
) -> None:
    counter = WindowCounter(WINDOW_S, max_clients=100, now=0.0)
    now = 0.0
    for now in times(gaps):
        counter.take("a", now, amount)
    remaining, reset_s = counter.take("a", now, amount)
    if remaining < 0:
        assert counter.take("a", now + reset_s - 0.001, amount)[0] == -1
        assert counter.take("a", now + reset_s + 0.001, amount)[0] >= 0


@pytest.mark.parametrize("algorithm", ["log", "counter"])
def test_of_three_hundred_requests_exactly_a_hundred_pass(algorithm: Algorithm) -> None:
    window = make_window(algorithm, 100, 60.0, max_clients=10, now=0.0)
    assert sum(window.take("a", i / 30, 100)[0] >= 0 for i in range(300)) == 100


@pytest.mark.parametrize("algorithm", ["log", "counter"])
def test_what_another_let_pass_counts_and_a_smaller_amount_holds_at_once(
    algorithm: Algorithm,
) -> None:
    window = make_window(algorithm, 8, 60.0, max_clients=10, now=0.0)
    for _ in range(3):
        window.add("a", 1.0)
    assert window.take("a", 2.0, 2)[0] == -1
    assert window.take("a", 2.0, 8)[0] == 4
    for _ in range(100):
        window.add("a", 3.0)
    assert window.take("a", 3.0, 8)[0] == -1


@pytest.mark.parametrize("algorithm", ["log", "counter"])
def test_clients_of_the_past_are_forgotten_but_not_those_of_the_window(
    algorithm: Algorithm,
) -> None:
    window = make_window(algorithm, 1, WINDOW_S, max_clients=1000, now=0.0)
    for i in range(500):
        window.take(str(i), 0.0, 1)
    window.take("late", 9.9, 1)
    window.sweep(11.0)
    assert window.take("late", 11.0, 1)[0] == -1
    window.sweep(22.0)
    window.sweep(33.0)
    assert len(window) == 0


def test_what_is_being_let_go_is_bounded_too_when_nobody_sweeps() -> None:
    counter = WindowCounter(WINDOW_S, max_clients=10, now=0.0)
    log = WindowLog(1, WINDOW_S, max_clients=10, now=0.0)
    for i in range(1000):
        counter.take(str(i), 0.0, 1)
        log.take(str(i), 0.0, 1)
        assert len(counter._remains) <= 10
        assert len(log._clients._remains) <= 10


@pytest.mark.parametrize("algorithm", ["log", "counter"])
def test_many_clients_cost_accuracy_and_not_memory(algorithm: Algorithm) -> None:
    window = make_window(algorithm, 1, WINDOW_S, max_clients=10, now=0.0)
    for i in range(1000):
        window.take(str(i), 0.0, 1)
        assert len(window) <= 20


def test_a_log_holds_no_more_than_the_limit_and_an_eighth() -> None:
    log = WindowLog(80, WINDOW_S, max_clients=10, now=0.0)
    for i in range(5000):
        log.take("a", i * 0.05, 80)
        held = log._clients.young["a"]
        assert isinstance(held, float) or len(held) <= 90

"""The sliding window is exact, agrees with `limits`, and forgets."""

import limits
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.limiter.limiter import Limiter, is_limited
from lb.limiter.window_log import WindowLog

gaps = st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 9.0, 10.0, 11.0, 25.0]), max_size=60)


@given(st.integers(1, 5), gaps)
@settings(max_examples=200)
def test_no_window_holds_more_than_the_limit_and_none_is_refused_below_it(
    amount: int, gaps: list[float]
) -> None:
    log = WindowLog(amount, 10.0, max_clients=100, now=0.0)
    passed: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        inside = [time for time in passed if time >= now - 10.0]
        decision = log.take("a", now)
        assert decision.allowed == (len(inside) < amount)
        if decision.allowed:
            passed.append(now)
            inside.append(now)
        assert decision.remaining == amount - len(inside)
        assert decision.reset_s == pytest.approx(inside[0] + 10.0 - now)
        log.sweep(now)


def test_of_three_hundred_requests_exactly_a_hundred_pass() -> None:
    log = WindowLog(100, 60.0, max_clients=10, now=0.0)
    assert sum(log.take("a", i / 30).allowed for i in range(300)) == 100


def test_clients_of_the_past_are_forgotten_but_not_those_of_the_window() -> None:
    log = WindowLog(1, 10.0, max_clients=1000, now=0.0)
    for i in range(500):
        log.take(str(i), 0.0)
    log.take("late", 9.0)
    log.sweep(11.0)
    assert not log.take("late", 18.0).allowed
    log.sweep(22.0)
    log.sweep(33.0)
    assert len(log) == 0


def test_many_clients_end_a_generation_so_that_memory_stays_bounded() -> None:
    log = WindowLog(1, 10.0, max_clients=10, now=0.0)
    for i in range(1000):
        log.take(str(i), 0.0)
        log.sweep(0.0)
        assert len(log) <= 20


@pytest.mark.parametrize(
    ("target", "limited"),
    [
        (b"/v1", True), (b"/v1/query?a=/b", True), (b"/%761/query", True), (b"//v1/query", True),
        (b"/./v1/query", True), (b"/a/../v1/query", True), (b"/v1?x", True), (b"/v2/v1", False),
        (b"/v10", False), (b"/health/ready", False), (b"*", False), (b"/?x=/v1", False),
    ],
)  # fmt: skip
def test_the_limit_holds_below_v1_however_it_is_spelt(target: bytes, limited: bool) -> None:
    assert is_limited(target) is limited


def test_the_fields_tell_what_is_left_and_when_more_is_given() -> None:
    limiter = Limiter(limits.parse("2/minute"), max_clients=10, now=0.0)
    first = limiter.check("a", b"/v1/query", 0.0)
    assert first is not None
    assert first.fields == (
        b'RateLimit-Policy: "default";q=2;w=60\r\nRateLimit: "default";r=1;t=60\r\n'
    )
    limiter.check("a", b"/v1/query", 1.0)
    refused = limiter.check("a", b"/v1/query", 22.5)
    assert refused is not None
    assert refused.problem is not None
    assert (refused.problem.status, refused.problem.retry_after_s) == (429, 38)
    assert refused.fields.endswith(b'RateLimit: "default";r=0;t=38\r\n')
    assert limiter.check("a", b"/docs", 23.0) is None
    other = limiter.check("b", b"/v1/query", 23.0)
    assert other is not None
    assert other.problem is None

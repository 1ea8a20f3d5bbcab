"""Who is picked: slow start, panic, weights, the queue for room."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.backend.backend import Backend
from lb.backend.backends import Backends, BackendsPolicy, Change
from lb.backend.health import Health
from lb.backend.source import Address
from lb.backend.wait_queue import WaitQueue
from lb.pick import STRATEGIES, Strategy

TRUSTED = Health(trusted=True, seen=True, reason="")
EJECTED = Health(trusted=False, seen=True, reason="refused")


class Pool:
    """Backends named a, b, c …, a clock that is set by hand, and callbacks that are due."""

    def __init__(
        self,
        names: str = "abc",
        *,
        strategy: Strategy = "round_robin",
        weights: dict[str, int] | None = None,
        most: int = 10_000,
        length: int = 2,
        slow_start_s: float = 0.0,
        panic_ratio: float = 0.0,
    ) -> None:
        self.now = 100.0
        self.due: list[Callable[[], None]] = []
        self.changes: list[tuple[str, Change]] = []
        self.backends = Backends(
            strategy,
            BackendsPolicy(
                max_connections=most, max_idle=1, slow_start_s=slow_start_s, panic_ratio=panic_ratio
            ),
            WaitQueue(length=length, timeout_s=5.0),
            on_change=lambda backend, change: self.changes.append((backend.host, change)),
            clock=lambda: self.now,
            random=lambda: 0.0,
            soon=self.due.append,
        )
        self.list(names, weights or {})

    def list(self, names: str, weights: dict[str, int]) -> None:
        self.backends.update({Address(name, 1): weights.get(name, 1) for name in names})
        for backend in self.backends.by_id.values():
            if not backend.health.seen:
                backend.set_health(TRUSTED)

    def __getitem__(self, name: str) -> Backend:
        return self.backends.by_id[f"{name}:1"]

    def taken(self, number: int) -> str:
        """Begin requests; return the names of their backends."""
        names = ""
        for _ in range(number):
            backend = self.backends.pick(())
            assert backend is not None
            backend.active += 1
            names += backend.host
        return names

    def finish(self, name: str, waiter: "Waiter") -> None:
        self[name].active -= 1
        if self.backends.queue.waiting:
            self.backends.request_over(waiter)
        self.run_due()

    def run_due(self) -> None:
        while self.due:
            self.due.pop(0)()


class Waiter:
    """A request that records what becomes of it."""

    def __init__(self, *tried: Backend) -> None:
        self.tried = list(tried)
        self.outcome = ""

    def engage(self, backend: Backend) -> None:
        backend.active += 1
        self.outcome = backend.host

    def waited_too_long(self) -> None:
        self.outcome = "late"


weights = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), min_size=1)


@given(weights, st.integers(1, 5))
def test_a_round_of_round_robin_gives_each_as_many_turns_as_its_weight(
    given_weights: dict[str, int], rounds: int
) -> None:
    pool = Pool("".join(given_weights), weights=given_weights)
    counts = Counter(pool.taken(rounds * sum(given_weights.values())))
    assert counts == {name: rounds * weight for name, weight in given_weights.items()}


@given(weights, st.integers(0, 200))
def test_round_robin_is_fair_at_any_moment(given_weights: dict[str, int], number: int) -> None:
    counts = Counter(Pool("".join(given_weights), weights=given_weights).taken(number))
    for name, weight in given_weights.items():
        share = number * weight / sum(given_weights.values())
        assert abs(counts[name] - share) <= max(1.0, len(given_weights) / 2)


def test_turns_of_a_heavy_one_surround_those_of_the_light_ones() -> None:
    assert Pool(weights={"a": 4}).taken(6) == "aabcaa"


@given(weights)
def test_an_idle_system_lets_all_take_turns_by_weight(given_weights: dict[str, int]) -> None:
    pool = Pool("".join(given_weights), weights=given_weights, strategy="least_connections")
    names = ""
    for _ in range(sum(given_weights.values())):
        names += pool.taken(1)
        pool[names[-1]].active = 0
    assert Counter(names) == given_weights


def test_one_that_was_busy_while_others_took_turns_has_lost_its_own() -> None:
    pool = Pool("ab", strategy="least_connections")
    pool["a"].active = 1
    for _ in range(100):
        assert pool.taken(1) == "b"
        pool["b"].active = 0
    names = ""
    for _ in range(20):
        pool["a"].active = pool["b"].active = 0
        names += pool.taken(1)
    assert Counter(names) == pytest.approx({"a": 10, "b": 10}, abs=1)


def test_a_weight_is_changed_while_requests_go_on() -> None:
    pool = Pool("ab")
    pool.taken(7)
    pool.backends.change(pool["a"], weight=4)
    assert Counter(pool.taken(50)) == pytest.approx({"a": 40, "b": 10}, abs=1)


def test_the_operators_weight_stays_until_the_list_says_another() -> None:
    pool = Pool("ab", weights={"a": 2})
    pool.backends.change(pool["a"], weight=7)
    pool.list("ab", {"a": 2})
    assert pool["a"].full_weight == 7
    pool.list("ab", {"a": 3})
    assert pool["a"].full_weight == 3


def test_a_newcomer_gets_its_share_and_no_more() -> None:
    pool = Pool("ab")
    pool.taken(1000)
    pool.list("abc", {})
    assert Counter(pool.taken(30)) == pytest.approx({"a": 10, "b": 10, "c": 10}, abs=1)


def test_a_backend_that_was_full_does_not_catch_up() -> None:
    pool = Pool("ab", most=5)
    pool["a"].active = 5
    for _ in range(100):
        assert pool.taken(1) == "b"
        pool["b"].active = 0
    pool["a"].active = 0
    names = ""
    for _ in range(20):
        names += pool.taken(1)
        pool["a"].active = pool["b"].active = 0
    assert Counter(names) == pytest.approx({"a": 10, "b": 10}, abs=1)


def test_the_strategy_is_switched_between_any_two_picks() -> None:
    pool = Pool(most=1000)
    for turn in range(300):
        pool.backends.strategy = STRATEGIES[turn % len(STRATEGIES)]
        pool.taken(1)
    pool.backends.strategy = "round_robin"
    assert Counter(pool.taken(30)) == {"a": 10, "b": 10, "c": 10}


def test_a_backend_that_becomes_ready_starts_slowly() -> None:
    pool = Pool("ab", slow_start_s=10.0)
    pool.now += 60
    pool.backends.sweep(pool.now)
    assert pool["a"].weight == 1
    pool["b"].set_health(EJECTED)
    pool["b"].set_health(TRUSTED)
    assert pool["b"].weight == pytest.approx(0.1)
    assert Counter(pool.taken(110))["b"] == pytest.approx(10, abs=1)
    for seconds, weight in [(0.5, 0.1), (5.0, 0.5), (10.0, 1.0), (90.0, 1.0)]:
        pool.backends.sweep(pool.now + seconds)
        assert pool["b"].weight == pytest.approx(weight)
    assert Counter(pool.taken(100))["b"] == pytest.approx(50, abs=1)


def test_tried_backends_are_avoided_while_there_are_others() -> None:
    pool = Pool()
    for _ in range(5):
        assert pool.backends.pick([pool["a"], pool["b"]]) is pool["c"]
    assert pool.backends.pick([pool["a"], pool["b"], pool["c"]]) is not None


def test_when_too_few_are_ready_all_but_the_operators_are_used() -> None:
    pool = Pool("abcde", panic_ratio=0.5)
    pool.backends.change(pool["e"], mode="drain")
    pool["a"].set_health(EJECTED)
    pool["b"].set_health(EJECTED)
    assert set(pool.taken(20)) == set("cd")  # two of four are enough
    pool["c"].set_health(EJECTED)
    assert pool.backends.panicking
    assert set(pool.taken(20)) == set("abcd")
    pool["a"].set_health(TRUSTED)
    assert set(pool.taken(20)) == set("ad")


def test_a_backend_that_never_passed_a_check_is_not_used_in_panic() -> None:
    pool = Pool("ab", panic_ratio=1.0)
    pool.backends.update({Address(name, 1): 1 for name in "abc"})
    pool["a"].set_health(EJECTED)
    assert set(pool.taken(10)) == set("ab")


def test_those_that_are_being_stopped_are_no_reason_for_panic() -> None:
    pool = Pool("abcde", panic_ratio=0.5)
    for name in "abc":
        pool[name].draining("503")
    assert not pool.backends.panicking
    assert set(pool.taken(10)) == set("de")
    pool["d"].set_health(EJECTED)
    pool["e"].set_health(EJECTED)
    assert set(pool.taken(10)) == set("de")  # in panic, which those that leave cannot help
    assert sum(backend.ejections for backend in pool.backends.by_id.values()) == 2


def test_where_all_are_being_stopped_they_are_used_to_the_last() -> None:
    pool = Pool("ab", panic_ratio=0.5)
    for name in "ab":
        pool[name].draining("503")
    assert set(pool.taken(4)) == set("ab")


def test_removed_backends_get_nothing_more_and_are_reported() -> None:
    pool = Pool()
    pool.list("bc", {})
    assert set(pool.taken(10)) == set("bc")
    assert ("a", "removed") in pool.changes


def test_those_who_wait_are_served_in_order() -> None:
    pool = Pool("a", most=1)
    pool.taken(1)
    first, second, third = Waiter(), Waiter(), Waiter()
    assert pool.backends.pick(()) is None
    assert pool.backends.wait(first)
    assert pool.backends.wait(second)
    assert not pool.backends.wait(third)
    assert pool.backends.queue.refused == 1
    pool.run_due()
    assert (first.outcome, second.outcome) == ("", "")
    pool.finish("a", third)
    assert (first.outcome, second.outcome) == ("a", "")
    pool.finish("a", first)
    assert second.outcome == "a"
    assert not pool.backends.queue.waiting


def test_nobody_overtakes_those_who_wait() -> None:
    pool = Pool("a", most=1)
    pool.taken(1)
    waiter = Waiter()
    pool.backends.wait(waiter)
    pool["a"].active -= 1
    assert pool.backends.pick(()) is None
    pool.run_due()
    assert waiter.outcome == "a"


def test_one_who_leaves_is_forgotten() -> None:
    pool = Pool("a", most=1)
    pool.taken(1)
    gone, waiter = Waiter(), Waiter()
    pool.backends.wait(gone)
    pool.backends.wait(waiter)
    pool.backends.request_over(gone)
    pool.finish("a", Waiter())
    assert (gone.outcome, waiter.outcome) == ("", "a")


def test_one_who_waits_too_long_is_sent_away() -> None:
    pool = Pool("a", most=1)
    pool.taken(1)
    first, second = Waiter(), Waiter()
    pool.backends.wait(first)
    pool.now += 3
    pool.backends.wait(second)
    pool.backends.sweep(pool.now + 2)
    assert (first.outcome, second.outcome) == ("late", "")
    assert pool.backends.queue.expired == 1


def test_a_backend_that_comes_back_serves_those_who_wait() -> None:
    pool = Pool("ab", most=1)
    pool["b"].set_health(EJECTED)
    pool.taken(1)
    waiter = Waiter()
    pool.backends.wait(waiter)
    pool["b"].set_health(TRUSTED)
    pool.run_due()
    assert waiter.outcome == "b"


def test_a_retry_that_waits_for_another_backend_does_not_block_the_rest() -> None:
    pool = Pool("ab", most=1)
    pool.taken(2)
    retry, waiter = Waiter(pool["a"]), Waiter()
    pool.backends.wait(retry)
    pool.backends.wait(waiter)
    pool.finish("a", Waiter())
    assert (retry.outcome, waiter.outcome) == ("", "a")
    pool.finish("b", Waiter())
    assert retry.outcome == "b"


def test_a_peak_of_the_latency_fades_unless_requests_wait() -> None:
    backend = Pool("a")["a"]
    for seconds in (0.01, 1.0, 0.01):
        backend.observe_latency(seconds)
    assert backend.peak_s == 1.0
    backend.decay_peak(10.0)
    average = backend.latency_s or 0.0
    assert backend.peak_s == pytest.approx(average + (1 - average) / 2.718281828, rel=1e-6)
    peak = backend.peak_s
    backend.active = 1
    backend.decay_peak(1000.0)
    assert backend.peak_s == peak
    backend.active = 0
    backend.decay_peak(1000.0)
    assert backend.peak_s == pytest.approx(0.0, abs=1e-9)

"""Up at once, down after a while, never on what was not seen, and never back and forth."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.decision import REASONS, Decision, Fleet, Memory, blind, decide
from scaler.demand import LaneDemand
from tests.unit.scaler.fluid_queue import INTERVAL_S, POLICY, FluidQueue, policy

loads = st.floats(0, 60)


def decided(
    load: float, fleet: Fleet, memory: Memory | None = None, now: float = 1000.0
) -> tuple[Decision, Memory]:
    demand = LaneDemand("query", 2, load, 0, 1.0)
    return decide(POLICY, memory or Memory(), now, [demand], fleet)


def settled(load: float, running: int) -> Memory:
    """Return what is remembered after the same load for as long as the window is."""
    memory = Memory()
    for at in range(900, 1000, 5):
        _, memory = decided(load, Fleet(running, running), memory, float(at))
    return memory


def test_it_goes_up_at_once_and_in_bounded_steps() -> None:
    decision, _ = decided(14.0, Fleet(2, 2))
    assert (decision.direction, decision.target, decision.wanted) == ("up", 6, 10)


def test_it_goes_down_only_to_what_was_wanted_within_the_window() -> None:
    memory = settled(14.0, 10)
    first, memory = decided(0.0, Fleet(10, 10), memory, 1000.0)
    assert (first.direction, first.reason, first.wanted) == ("hold", "stabilising", 10)
    for at in range(1005, 1060, 5):
        decision, memory = decided(0.0, Fleet(10, 10), memory, float(at))
        assert decision.direction == "hold"
    decision, _ = decided(0.0, Fleet(10, 10), memory, 1060.0)
    assert (decision.direction, decision.reason, decision.target) == ("down", "idle", 9)


def test_it_does_not_go_down_before_it_has_watched_for_long_enough() -> None:
    decision, memory = decided(0.0, Fleet(10, 10))
    assert (decision.direction, decision.reason) == ("hold", "stabilising")
    decision, _ = decided(0.0, Fleet(10, 10), memory, 1060.0)
    assert decision.direction == "down"


def test_after_a_gap_it_watches_for_as_long_again() -> None:
    memory = blind(settled(0.0, 10))
    decision, memory = decided(0.0, Fleet(10, 10), memory, 1000.0)
    assert decision.reason == "stabilising"
    decision, _ = decided(0.0, Fleet(10, 10), memory, 1059.0)
    assert decision.reason == "stabilising"


def test_workers_that_were_started_are_waited_for() -> None:
    decision, memory = decided(14.0, Fleet(6, 2))
    assert (decision.direction, decision.reason) == ("hold", "joining")
    decision, _ = decided(14.0, Fleet(6, 6), memory, 1005.0)
    assert (decision.direction, decision.target) == ("up", 10)


def test_where_workers_never_join_no_more_are_started() -> None:
    _, memory = decided(14.0, Fleet(6, 2))
    decision, _ = decided(14.0, Fleet(6, 2), memory, 1000.0 + POLICY.join_s)
    assert (decision.direction, decision.reason) == ("hold", "not_joined")
    assert "4 workers have not joined within 30 s" in decision.cause


def test_a_single_worker_that_hangs_does_not_stop_all_growth() -> None:
    _, memory = decided(14.0, Fleet(3, 2))
    decision, _ = decided(14.0, Fleet(3, 2), memory, 1000.0 + POLICY.join_s)
    assert (decision.direction, decision.target) == ("up", 7)


def test_who_leaves_keeps_its_place_until_it_has_gone() -> None:
    decision, _ = decided(1000.0, Fleet(18, 18, leaving=2))
    assert (decision.direction, decision.reason) == ("hold", "leaving")
    decision, _ = decided(1000.0, Fleet(17, 17, leaving=2))
    assert (decision.direction, decision.target) == ("up", 18)


def test_one_leaves_after_the_other() -> None:
    decision, _ = decided(0.0, Fleet(9, 9, leaving=1), settled(0.0, 9))
    assert (decision.direction, decision.reason) == ("hold", "leaving")


@pytest.mark.parametrize("taking", [0, 1])
def test_nobody_is_taken_away_while_too_few_are_known_to_work(taking: int) -> None:
    decision, _ = decided(0.0, Fleet(5, taking), settled(0.0, 5))
    assert (decision.direction, decision.reason) == ("hold", "not_joined")


def test_of_those_that_work_enough_stay_whichever_is_taken_away() -> None:
    decision, _ = decided(0.0, Fleet(5, 2), settled(0.0, 5))
    assert (decision.direction, decision.target) == ("down", 4)


def test_bounds_that_were_lowered_are_kept_at_once() -> None:
    decision, _ = decided(100.0, Fleet(23, 23))
    assert (decision.direction, decision.reason, decision.target) == ("down", "maximum", 22)


def test_bounds_that_were_raised_are_kept_at_once() -> None:
    demand = LaneDemand("query", 2, 0.0, 0, 1.0)
    decision, _ = decide(policy(minimum=4), Memory(), 0.0, [demand], Fleet(2, 2))
    assert (decision.direction, decision.reason, decision.target) == ("up", "minimum", 4)


@given(st.lists(st.tuples(loads, st.integers(0, 25), st.integers(0, 25), st.integers(0, 3))))
def test_bounds_and_steps_are_kept_whatever_is_seen(
    rounds: list[tuple[float, int, int, int]],
) -> None:
    memory = Memory()
    for number, (load, running, taking, leaving) in enumerate(rounds):
        fleet = Fleet(running, min(taking, running), leaving)
        decision, memory = decided(load, fleet, memory, number * INTERVAL_S)
        assert decision.reason in REASONS[decision.direction]
        assert POLICY.minimum <= decision.wanted <= POLICY.maximum
        if decision.direction == "up":
            assert running < decision.target <= running + POLICY.step_up
            assert decision.target + leaving <= POLICY.maximum
        elif decision.direction == "down":
            assert running - POLICY.step_down <= decision.target < running
            assert decision.target >= POLICY.minimum
        else:
            assert decision.target == running


@given(st.floats(0, 40), st.integers(1, 20), st.integers(0, 3))
def test_under_a_constant_load_it_comes_to_rest(
    arrivals: float, running: int, joins_after: int
) -> None:
    queue = FluidQueue(running=running, joins_after=joins_after)
    counts = queue.run(400, arrivals)
    rest = counts[-100:]
    assert len(set(rest)) == 1
    assert queue.waiting < 1 or rest[0] == POLICY.maximum


@given(st.floats(0, 14), st.integers(1, 20))
def test_under_a_constant_load_it_turns_at_most_once(arrivals: float, running: int) -> None:
    queue = FluidQueue(running=running)
    queue.run(400, arrivals)
    moves = [one.direction for one in queue.history if one.direction != "hold"]
    turns = [pair for pair in itertools.pairwise(moves) if pair[0] != pair[1]]
    assert len(turns) <= 1


@given(st.floats(0, 40), st.floats(0, 20))
def test_a_higher_load_never_rests_on_fewer(arrivals: float, more: float) -> None:
    low, high = FluidQueue(), FluidQueue()
    assert high.run(400, arrivals + more)[-1] >= low.run(400, arrivals)[-1]


def test_what_waits_is_worked_off_in_about_the_time_that_was_promised() -> None:
    queue = FluidQueue(running=1, waiting=600.0)
    queue.run(int(1.5 * POLICY.drain_s / INTERVAL_S), 2.0)
    assert queue.waiting < 600 * 0.2
    queue.run(int(POLICY.drain_s / INTERVAL_S), 2.0)
    assert queue.waiting < 1


def test_a_load_that_comes_and_goes_within_the_window_moves_nothing() -> None:
    queue = FluidQueue()
    queue.run(40, 10.0)
    before = queue.running
    counts = [queue.run(4, arrivals)[-1] for arrivals in (0.0, 10.0) * 10]
    assert set(counts) == {before}


def test_a_broken_image_leads_to_no_endless_starts() -> None:
    queue = FluidQueue(running=1, joins_after=10_000)
    counts = queue.run(400, 30.0)
    assert max(counts) <= 1 + POLICY.absent_limit
    assert queue.history[-1].reason == "not_joined"

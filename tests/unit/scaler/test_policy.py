"""How many workers a load asks for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.demand import LaneDemand
from scaler.policy import Want, wanted_workers
from tests.unit.scaler.fluid_queue import POLICY, policy

numbers = st.floats(0, 1e4)
lanes = st.builds(
    LaneDemand,
    lane=st.sampled_from(["query", "bulk", "password"]),
    slots_each=st.just(0.0) | st.floats(0.1, 16),
    load=numbers,
    waiting=st.integers(0, 10_000),
    mean_s=st.none() | st.floats(1e-4, 1e4),
)


def demand(
    load: float, waiting: int = 0, mean_s: float | None = 1.0, slots: float = 2, lane: str = "query"
) -> LaneDemand:
    return LaneDemand(lane, slots, load, waiting, mean_s)


def wanted(*demands: LaneDemand) -> Want:
    return wanted_workers(demands, POLICY)


@pytest.mark.parametrize(
    ("load", "workers"), [(0.0, 1), (1.4, 1), (1.5, 2), (2.8, 2), (14.0, 10), (28.0, 20)]
)
def test_slots_are_busy_as_much_as_they_should_be(load: float, workers: int) -> None:
    assert wanted(demand(load)).workers == workers


def test_what_waits_is_worked_off_in_its_time_besides_what_comes() -> None:
    # 240 tasks of a second within 60 s: four slots; and two for a load of 1.4
    assert wanted(demand(1.4, waiting=240)).workers == 3
    assert wanted(demand(0.0, waiting=240)).ground == "backlog"


def test_more_slots_than_tasks_that_wait_are_not_asked_for() -> None:
    assert wanted(demand(0.0, waiting=8, mean_s=3600.0)).workers == 4


def test_while_nobody_knows_how_long_tasks_take_what_waits_says_nothing() -> None:
    assert wanted(demand(0.0, waiting=1000, mean_s=None)).workers == 1


def test_the_lane_that_asks_for_most_wins() -> None:
    found = wanted(demand(1.0), demand(7.0, lane="bulk", slots=1), demand(2.0, lane="password"))
    assert found.workers == 10
    assert found.cause == "lane bulk: 7.00 slots busy with what comes, and 0 tasks wait"


def test_a_lane_whose_tasks_nobody_takes_asks_for_nobody() -> None:
    assert wanted(demand(100.0, waiting=100, slots=0)) == Want(1, "minimum", wanted().cause)


def test_the_bounds_are_said_to_be_the_reason_where_they_are() -> None:
    assert wanted(demand(0.0)).ground == "minimum"
    most = wanted(demand(1000.0))
    assert (most.workers, most.ground) == (20, "maximum")
    assert "that is 715 workers" in most.cause


@given(st.lists(lanes, max_size=3), st.integers(1, 10), st.integers(0, 30))
def test_the_bounds_are_kept(demands: list[LaneDemand], minimum: int, more: int) -> None:
    bounds = policy(minimum=minimum, maximum=minimum + more)
    assert minimum <= wanted_workers(demands, bounds).workers <= minimum + more


@given(lanes, numbers, st.integers(0, 1000))
def test_more_to_do_never_asks_for_fewer(lane: LaneDemand, load: float, waiting: int) -> None:
    more = LaneDemand(
        lane.lane, lane.slots_each, lane.load + load, lane.waiting + waiting, lane.mean_s
    )
    boundless = policy(maximum=10**9)
    assert wanted_workers([more], boundless).workers >= wanted_workers([lane], boundless).workers


@given(st.floats(0, 1000), st.floats(0.5, 16), st.floats(0.1, 1))
def test_as_many_as_are_needed_and_not_one_more(load: float, slots: float, share: float) -> None:
    bounds = policy(minimum=1, maximum=10**6, target_utilisation=share)
    found = wanted_workers([demand(load, slots=slots)], bounds).workers
    exact = load / share / slots
    assert found == max(1, math.ceil(exact - 1e-9))

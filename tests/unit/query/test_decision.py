"""Direct or partitioned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.decision import Decision, Engine, Limits, decide, why_not_worth

LIMITS = Limits(
    min_fragment_cost=1000, max_fragment_share=0.75, max_fragments=16, max_partial_rows=5000
)


def choose(
    *, engine: Engine = "auto", wanted: int | None = None, cost: float = 9000,
    slots: int = 4, blocks: int = 100,
) -> Decision:  # fmt: skip
    return decide(
        engine=engine, wanted=wanted, cost=cost, slots=slots, blocks=blocks,
        limits=LIMITS,
    )  # fmt: skip


def test_a_costly_query_uses_the_free_slots() -> None:
    assert choose().fragments == 4


def test_a_fragment_costs_at_least_its_floor() -> None:
    assert choose(cost=2500).fragments == 2
    assert choose(cost=1999).fragments == 0


@pytest.mark.parametrize(
    "given_",
    [{"engine": "direct"}, {"slots": 0}, {"blocks": 1}, {"slots": 1}, {"cost": 1}],
)
def test_each_obstacle_alone_makes_it_direct(given_: dict[str, object]) -> None:
    decision = choose(**given_)  # type: ignore[arg-type]
    assert decision.fragments == 0
    assert decision.reason


@pytest.mark.parametrize("given_", [{"cost": 0.1}, {"blocks": 1}, {"slots": 1}])
def test_who_insists_gets_parts_however_cheap(given_: dict[str, object]) -> None:
    assert choose(engine="partitioned", **given_).fragments >= 1  # type: ignore[arg-type]


@given(
    cost=st.floats(0, 1e12), slots=st.integers(0, 1000),
    blocks=st.integers(0, 10**9), wanted=st.none() | st.integers(1, 64),
    engine=st.sampled_from(["auto", "direct", "partitioned"]),
)  # fmt: skip
def test_the_choice_stays_within_its_bounds(
    cost: float, slots: int, blocks: int, wanted: int | None, engine: Engine
) -> None:
    decision = choose(engine=engine, wanted=wanted, cost=cost, slots=slots, blocks=blocks)
    assert 0 <= decision.fragments <= min(LIMITS.max_fragments, max(1, blocks))
    if slots == 0 or engine == "direct":
        assert decision.fragments == 0


def test_a_fragment_that_costs_as_much_as_the_whole_is_not_worth_it() -> None:
    reason = why_not_worth(whole_cost=100, cost=76, rows=1, fragments=4, limits=LIMITS)
    assert reason == "a fragment would cost 76, the whole query 100"
    assert why_not_worth(whole_cost=100, cost=75, rows=1, fragments=4, limits=LIMITS) is None


def test_fragments_that_send_too_many_rows_are_not_worth_it() -> None:
    reason = why_not_worth(whole_cost=100, cost=1, rows=1251, fragments=4, limits=LIMITS)
    assert reason == "about 5004 rows would travel, 5000 may"
    assert why_not_worth(whole_cost=100, cost=1, rows=1250, fragments=4, limits=LIMITS) is None

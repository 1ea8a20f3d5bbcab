"""Direct or partitioned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.decision import Decision, Engine, Limits, decide

LIMITS = Limits(min_fragment_cost=1000, max_fragments=16, max_partial_rows=5000)


def choose(
    *, engine: Engine = "auto", wanted: int | None = None, cost: float = 9000, rows: int = 10,
    slots: int = 4, blocks: int = 100,
) -> Decision:  # fmt: skip
    return decide(
        engine=engine, wanted=wanted, cost=cost, rows=rows, slots=slots, blocks=blocks,
        limits=LIMITS,
    )  # fmt: skip


def test_a_costly_query_uses_the_free_slots() -> None:
    assert choose().fragments == 4


def test_a_fragment_costs_at_least_its_floor() -> None:
    assert choose(cost=2500).fragments == 2
    assert choose(cost=1999).fragments == 0


@pytest.mark.parametrize(
    "given_",
    [{"engine": "direct"}, {"slots": 0}, {"rows": 5001}, {"blocks": 1}, {"slots": 1}, {"cost": 1}],
)
def test_each_obstacle_alone_makes_it_direct(given_: dict[str, object]) -> None:
    decision = choose(**given_)  # type: ignore[arg-type]
    assert decision.fragments == 0
    assert decision.reason


@pytest.mark.parametrize("given_", [{"rows": 10**9}, {"cost": 0.1}, {"blocks": 1}, {"slots": 1}])
def test_who_insists_gets_parts_however_cheap(given_: dict[str, object]) -> None:
    assert choose(engine="partitioned", **given_).fragments >= 1  # type: ignore[arg-type]


@given(
    cost=st.floats(0, 1e12), rows=st.integers(0, 10**9), slots=st.integers(0, 1000),
    blocks=st.integers(0, 10**9), wanted=st.none() | st.integers(1, 64),
    engine=st.sampled_from(["auto", "direct", "partitioned"]),
)  # fmt: skip
def test_the_choice_stays_within_its_bounds(
    cost: float, rows: int, slots: int, blocks: int, wanted: int | None, engine: Engine
) -> None:
    decision = choose(
        engine=engine, wanted=wanted, cost=cost, rows=rows, slots=slots, blocks=blocks
    )
    assert 0 <= decision.fragments <= min(LIMITS.max_fragments, max(1, blocks))
    if slots == 0 or engine == "direct":
        assert decision.fragments == 0

"""The strategies: fair, and never a busier backend than needed."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from lb.pick import STRATEGIES, least_connections, pick, round_robin


@dataclass(frozen=True)
class Fake:
    """A candidate."""

    active: int


candidates = st.lists(st.integers(0, 5).map(Fake), min_size=1, max_size=9)


@given(candidates, st.integers(1, 7), st.integers(0, 1000))
def test_round_robin_gives_each_candidate_equally_many(
    fakes: list[Fake], rounds: int, first: int
) -> None:
    turns = range(first, first + rounds * len(fakes))
    counts = Counter(round_robin(fakes, turn) for turn in turns)
    assert counts == dict.fromkeys(range(len(fakes)), rounds)


@given(candidates, st.integers(0, 1000))
def test_least_connections_picks_a_minimum(fakes: list[Fake], turn: int) -> None:
    chosen = fakes[least_connections(fakes, turn)]
    assert chosen.active == min(fake.active for fake in fakes)


@given(candidates)
def test_least_connections_lets_equals_take_turns(fakes: list[Fake]) -> None:
    fewest = min(fake.active for fake in fakes)
    ties = {index for index, fake in enumerate(fakes) if fake.active == fewest}
    assert {least_connections(fakes, turn) for turn in range(len(ties))} == ties


@given(candidates, st.sampled_from(STRATEGIES), st.integers(0))
def test_every_strategy_picks_a_candidate(fakes: list[Fake], strategy: str, turn: int) -> None:
    for known in STRATEGIES:
        if known == strategy:
            assert 0 <= pick(known, fakes, turn) < len(fakes)

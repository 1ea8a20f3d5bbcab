"""The strategies: fair by weight, and never a busier backend than needed."""

import random
from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from lb.pick import PICKS, STRATEGIES, Strategy, least_connections, power_of_two, round_robin


@dataclass(eq=False)
class Fake:
    """A candidate."""

    active: int = 0
    weight: float = 1.0
    due: float = 0.0
    peak_s: float | None = None


fakes_of_all_kinds = st.lists(
    st.builds(
        Fake,
        active=st.integers(0, 5),
        weight=st.floats(0.1, 256),
        due=st.floats(0, 10),
        peak_s=st.none() | st.floats(0, 10),
    ),
    min_size=1,
    max_size=9,
)
draws = st.floats(0, 1, exclude_max=True)


@given(fakes_of_all_kinds)
def test_least_connections_picks_a_minimum(fakes: list[Fake]) -> None:
    chosen = least_connections(fakes, 0.0)
    assert all(chosen.active / chosen.weight <= fake.active / fake.weight for fake in fakes)


@given(fakes_of_all_kinds)
def test_round_robin_picks_the_one_that_is_due_first(fakes: list[Fake]) -> None:
    assert round_robin(fakes, 0.0).due == min(fake.due for fake in fakes)


@given(draws, st.integers(0, 5), st.booleans())
def test_power_of_two_prefers_the_faster_of_two(draw: float, active: int, first: bool) -> None:
    fakes = [Fake(active, peak_s=0.2), Fake(active, peak_s=0.1)]
    if first:
        fakes.reverse()
    assert power_of_two(fakes, draw).peak_s == 0.1


@given(draws)
def test_power_of_two_never_picks_the_worst_of_three(draw: float) -> None:
    fakes = [Fake(3, peak_s=0.1), Fake(0, peak_s=0.1), Fake(0, weight=4, peak_s=0.2)]
    assert power_of_two(fakes, draw) is not fakes[0]


@given(fakes_of_all_kinds.filter(lambda fakes: len(fakes) > 1))
def test_power_of_two_compares_every_pair(fakes: list[Fake]) -> None:
    number = len(fakes)
    for fake in fakes:
        fake.active, fake.peak_s, fake.weight = 0, 1.0, 1.0  # the first of each pair wins
    pairs = number * (number - 1)
    counts = Counter(id(power_of_two(fakes, (k + 0.5) / pairs)) for k in range(pairs))
    assert counts == {id(fake): number - 1 for fake in fakes}


def test_power_of_two_sends_one_request_to_one_of_unknown_latency() -> None:
    fakes = [Fake(9, peak_s=0.001), Fake(0)]
    assert power_of_two(fakes, 0.0) is fakes[1]
    fakes[1].active = 1
    assert power_of_two(fakes, 0.0) is fakes[0]


def test_power_of_two_spreads_by_speed() -> None:
    draw = random.Random(1).random
    fakes = [Fake(peak_s=0.01), Fake(peak_s=0.01), Fake(peak_s=0.1)]
    held: list[tuple[int, int]] = []
    counts: Counter[int] = Counter()
    for _ in range(3000):  # 16 in flight; the slow one holds each for ten times as long
        index = fakes.index(power_of_two(fakes, draw()))
        counts[index] += 1
        fakes[index].active += 1
        held.append((len(held) + (100 if index == 2 else 10), index))
        for end in [end for end in held if end[0] <= len(held) and end[1] >= 0]:
            fakes[end[1]].active -= 1
            held[held.index(end)] = (end[0], -1)
    assert counts[2] < 0.2 * counts[0]


@given(fakes_of_all_kinds, st.sampled_from(STRATEGIES), draws)
def test_every_strategy_picks_a_candidate(
    fakes: list[Fake], strategy: Strategy, draw: float
) -> None:
    assert any(PICKS[strategy](fakes, draw) is fake for fake in fakes)

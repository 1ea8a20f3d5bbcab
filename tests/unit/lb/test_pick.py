"""The strategies: fair by weight, and never a busier backend than needed."""

import random
from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from lb.pick import (
    STRATEGIES,
    Strategy,
    first_due,
    least_connections,
    next_due,
    pick,
    power_of_two,
)


@dataclass
class Fake:
    """A candidate."""

    active: int = 0
    weight: float = 1.0
    due: float = 0.0
    peak_s: float | None = None


weights = st.lists(st.integers(1, 9), min_size=1, max_size=6)
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


def newcomers(given_weights: list[int]) -> list[Fake]:
    return [Fake(weight=weight, due=first_due(0.0, weight)) for weight in given_weights]


def picks(fakes: list[Fake], number: int, strategy: Strategy = "round_robin") -> list[int]:
    """Pick again and again, as Backends does."""
    virtual_now = 0.0
    chosen = []
    for _ in range(number):
        index = pick(strategy, fakes, 0.0)
        fake = fakes[index]
        due, fake.due = fake.due, next_due(fake.due, virtual_now, fake.weight)
        virtual_now = max(virtual_now, due)
        chosen.append(index)
    return chosen


@given(weights, st.integers(1, 5))
def test_a_round_of_round_robin_gives_each_as_many_turns_as_its_weight(
    given_weights: list[int], rounds: int
) -> None:
    counts = Counter(picks(newcomers(given_weights), rounds * sum(given_weights)))
    assert counts == {index: rounds * weight for index, weight in enumerate(given_weights)}


@given(weights, st.integers(0, 200))
def test_round_robin_is_fair_at_any_moment(given_weights: list[int], number: int) -> None:
    counts = Counter(picks(newcomers(given_weights), number))
    for index, weight in enumerate(given_weights):
        share = number * weight / sum(given_weights)
        assert abs(counts[index] - share) <= max(1.0, len(given_weights) / 2)


def test_turns_of_a_heavy_one_surround_those_of_the_light_ones() -> None:
    assert picks(newcomers([4, 1, 1]), 6) == [0, 0, 1, 2, 0, 0]


@given(fakes_of_all_kinds)
def test_least_connections_picks_a_minimum(fakes: list[Fake]) -> None:
    chosen = fakes[least_connections(fakes, 0.0)]
    assert all(
        (chosen.active + 1) / chosen.weight <= (fake.active + 1) / fake.weight for fake in fakes
    )


@given(st.integers(1, 9))
def test_an_idle_system_lets_all_take_turns(number: int) -> None:
    fakes = newcomers([1] * number)
    assert sorted(picks(fakes, number, "least_connections")) == list(range(number))


def test_one_that_was_busy_while_others_took_turns_has_lost_its_own() -> None:
    fakes = newcomers([1, 1])
    fakes[0].active = 1
    assert picks(fakes, 50, "least_connections") == [1] * 50
    fakes[0].active = 0
    virtual_now = fakes[1].due - 1
    fakes[0].due = next_due(fakes[0].due, virtual_now, 1)
    assert abs(fakes[0].due - fakes[1].due) < 1


@given(draws, st.integers(0, 5), st.booleans())
def test_power_of_two_prefers_the_faster_of_two(draw: float, active: int, first: bool) -> None:
    fakes = [Fake(active, peak_s=0.2), Fake(active, peak_s=0.1)]
    if first:
        fakes.reverse()
    assert fakes[power_of_two(fakes, draw)].peak_s == 0.1


@given(draws)
def test_power_of_two_never_picks_the_worst_of_three(draw: float) -> None:
    fakes = [Fake(3, peak_s=0.1), Fake(0, peak_s=0.1), Fake(0, weight=4, peak_s=0.2)]
    assert power_of_two(fakes, draw) != 0


@given(fakes_of_all_kinds.filter(lambda fakes: len(fakes) > 1))
def test_power_of_two_compares_every_pair(fakes: list[Fake]) -> None:
    number = len(fakes)
    for fake in fakes:
        fake.active, fake.peak_s, fake.weight = 0, 1.0, 1.0  # the first of each pair wins
    pairs = number * (number - 1)
    counts = Counter(power_of_two(fakes, (k + 0.5) / pairs) for k in range(pairs))
    assert counts == dict.fromkeys(range(number), number - 1)


def test_power_of_two_sends_one_request_to_one_of_unknown_latency() -> None:
    fakes = [Fake(9, peak_s=0.001), Fake(0)]
    assert power_of_two(fakes, 0.0) == 1
    fakes[1].active = 1
    assert power_of_two(fakes, 0.0) == 0


def test_power_of_two_spreads_by_speed() -> None:
    draw = random.Random(1).random
    fakes = [Fake(peak_s=0.01), Fake(peak_s=0.01), Fake(peak_s=0.1)]
    held: list[tuple[int, int]] = []
    counts: Counter[int] = Counter()
    for _ in range(3000):  # 16 in flight; the slow one holds each for ten times as long
        index = power_of_two(fakes, draw())
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
    assert 0 <= pick(strategy, fakes, draw) < len(fakes)

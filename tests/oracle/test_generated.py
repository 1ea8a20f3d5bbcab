"""Queries by chance: whole and split agree in rows, order, types, names, and in failing."""

import random

import pytest

from tests.oracle.runner import Runner, Tally

SEEDS = 1000
BATCH = 100
FRESH = 40
LEAST_SPLIT = 0.1
MOST_FAILED = 0.05


def equal_to_postgresql(runner: Runner, seeds: range) -> Tally:
    tally = Tally()
    for seed in seeds:
        tally.add(runner.seed(seed))
    assert not tally.mismatches, "\n\n".join(map(str, tally.mismatches))
    return tally


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_split_under_writes_and_whole_agree(runner: Runner, first: int) -> None:
    tally = equal_to_postgresql(runner, range(first, first + BATCH))
    # queries that all run whole, or fail, would prove nothing
    assert tally.share("all") >= LEAST_SPLIT
    assert tally.failed <= MOST_FAILED * BATCH


def test_fresh_seeds_agree_too(runner: Runner) -> None:
    first = random.SystemRandom().randrange(10**6, 10**9)
    equal_to_postgresql(runner, range(first, first + FRESH))

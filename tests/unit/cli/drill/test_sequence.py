"""In which order faults come."""

import random
from itertools import islice

from cli.drill.sequence import each_repeated, random_faults

NAMES = ["a", "b", "c", "d"]


def test_one_seed_gives_one_order() -> None:
    first, second = (
        list(islice(random_faults(NAMES, random.Random(7)), 40)) for _ in range(2)
    )  # fmt: skip
    assert first == second


def test_each_fault_comes_once_before_any_comes_again() -> None:
    order = list(islice(random_faults(NAMES, random.Random(7)), 40))
    rounds = [order[start : start + 4] for start in range(0, 40, 4)]
    assert all(sorted(one) == NAMES for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1


def test_no_faults_are_no_endless_loop() -> None:
    assert list(random_faults([], random.Random(7))) == []


def test_repeated_faults_come_one_kind_after_the_other() -> None:
    assert list(each_repeated(["a", "b"], 3)) == ["a", "a", "a", "b", "b", "b"]

"""For each row a condition is true, false or unknown: the three parts add up to the whole."""

from collections import Counter
from decimal import Decimal

import pytest

from tests.oracle.generator import Generator
from tests.oracle.runner import Runner

SEEDS = 150
BATCH = 50


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_the_three_parts_of_a_query_add_up(runner: Runner, first: int) -> None:
    added = split = 0
    for seed in range(first, first + BATCH):
        build, condition, params = Generator(seed).predicate_query()
        conditions = (None, condition, f"NOT ({condition})", f"({condition}) IS NULL")
        whole, *parts = [runner.answer(build(text), params) for text in conditions]
        if any(outcome.sqlstate is not None for outcome in (whole, *parts)):
            continue  # an error, such as a division by zero, need not meet all parts
        added += 1
        split += whole.mode == "partitioned"
        shown = f"seed {seed}: {build(None)} by {condition}"
        if build(None).startswith("SELECT count(*)"):
            columns = list(zip(*(part.rows[0] for part in parts), strict=True))
            assert [_sum(values) for values in columns] == [
                _sum([value]) for value in whole.rows[0]
            ], shown
        else:
            rows = sum((Counter(part.rows) for part in parts), Counter())
            assert rows == Counter(whole.rows), shown
    assert added >= BATCH * 0.9
    assert split >= BATCH * 0.4


def _sum(values: object) -> Decimal | None:
    """Add up as `sum` does: without any value it is null."""
    assert isinstance(values, list | tuple)
    known = [Decimal(value) for value in values if value is not None]
    return sum(known, Decimal(0)).normalize() if known else None

"""Cutting a table by the values of a column."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from query.key_ranges import KeyRange, KeyValue, key_ranges

WEIGHTS = st.floats(0, 1e9, allow_subnormal=False)
VALUES = st.lists(st.tuples(st.integers(-50, 50), WEIGHTS, WEIGHTS), max_size=40).map(
    lambda rows: [KeyValue(str(value), below, at) for value, below, at in sorted(rows)]
)


def holds(part: KeyRange, value: int | None) -> bool:
    """Tell what the condition of the range says of a value."""
    if part.low is None:
        return value is None or value < int(part.high or 0)
    return value is not None and int(part.low) <= value and (
        part.high is None or value < int(part.high)
    )  # fmt: skip


@given(values=VALUES, nulls=WEIGHTS, count=st.integers(1, 12))
def test_each_value_lies_in_exactly_one_range(
    values: list[KeyValue], nulls: float, count: int
) -> None:
    ranges = key_ranges(values, nulls, count)
    assert len(ranges) != 1
    assert len(ranges) <= count
    if ranges:
        for value in (None, *range(-52, 53)):
            assert sum(holds(part, value) for part in ranges) == 1


@given(values=VALUES, nulls=WEIGHTS, count=st.integers(2, 12))
def test_ranges_follow_each_other_and_their_shares_add_up(
    values: list[KeyValue], nulls: float, count: int
) -> None:
    ranges = key_ranges(values, nulls, count)
    for one, following in itertools.pairwise(ranges):
        assert one.high is not None
        assert one.high == following.low
    if ranges:
        assert ranges[0].low is ranges[-1].high is None
        assert abs(sum(part.share for part in ranges) - 1) < 1e-6


def test_evenly_spread_values_are_cut_evenly() -> None:
    values = [KeyValue(str(number), 10 if number else 0, 0) for number in range(101)]
    ranges = key_ranges(values, 0, 4)
    assert [part.low for part in ranges] == [None, "25", "50", "75"]
    assert {round(part.share, 2) for part in ranges} == {0.25}


def test_a_value_that_most_rows_have_gets_a_range_of_its_own() -> None:
    values = [KeyValue("1", 0, 1), KeyValue("5", 2, 95), KeyValue("6", 0, 1), KeyValue("9", 1, 0)]
    ranges = key_ranges(values, 0, 3)
    assert [(part.low, part.high) for part in ranges] == [(None, "5"), ("5", "6"), ("6", None)]
    assert ranges[1].share == 0.95


def test_one_value_cannot_be_cut() -> None:
    assert key_ranges([KeyValue("7", 0, 1000)], 0, 4) == []
    assert key_ranges([], 100, 4) == []


def test_nulls_make_up_the_first_range() -> None:
    (nulls, rest) = key_ranges([KeyValue("7", 0, 10), KeyValue("8", 0, 1)], 90, 2)
    assert nulls.describe("k") == "k below 7, or null"
    assert rest.describe("k") == "k from 7"
    assert KeyRange("5", "10", 0.1).describe("id") == "id from 5 to 10"

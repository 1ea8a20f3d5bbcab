"""Digests of rows, compared with what they stand for."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.queries.row_digest import digest_rows

Rows = list[tuple[str | None, str | None]]
value = st.one_of(st.none(), st.sampled_from(["", "1", "n", "1:", "11", "1:1"]))
rows = st.lists(st.tuples(value, value), max_size=6)


@given(rows, rows)
def test_bags_are_equal_exactly_when_rows_are_in_any_order(one: Rows, other: Rows) -> None:
    same = digest_rows(one, []).bag == digest_rows(other, []).bag
    assert same == (Counter(one) == Counter(other))


@given(rows, rows)
def test_sequences_follow_the_ordered_columns_alone(one: Rows, other: Rows) -> None:
    same = digest_rows(one, [1]).sequence == digest_rows(other, [1]).sequence
    assert same == ([row[1] for row in one] == [row[1] for row in other])

"""Cutting tables into partitions."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from query.partitions import BEHIND_ALL, block_ranges


@given(blocks=st.integers(0, 10**9), count=st.integers(1, 64))
def test_ranges_follow_each_other_and_cover_every_block(blocks: int, count: int) -> None:
    ranges = block_ranges(blocks, count)
    assert 1 <= len(ranges) <= count
    assert ranges[0].first == 0
    assert ranges[-1].end == BEHIND_ALL
    for one, following in itertools.pairwise(ranges):
        assert one.end == following.first
        assert one.first < one.end


@given(blocks=st.integers(2, 10**6), count=st.integers(2, 64))
def test_ranges_are_of_nearly_equal_size(blocks: int, count: int) -> None:
    ranges = block_ranges(blocks, count)
    sizes = [min(part.end, blocks) - part.first for part in ranges]
    assert max(sizes) - min(sizes) <= 1

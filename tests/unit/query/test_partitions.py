"""Cutting tables into partitions."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from query.partitions import BEHIND_ALL, block_ranges, shares

HEAPS = st.lists(st.integers(0, 10**6), max_size=8)


@given(heaps=HEAPS, count=st.integers(1, 64))
def test_ranges_follow_each_other_and_cover_every_block(heaps: list[int], count: int) -> None:
    ranges = block_ranges(heaps, count)
    assert 1 <= len(ranges) <= count
    assert ranges[0].first == 0
    assert ranges[-1].end == BEHIND_ALL
    for one, following in itertools.pairwise(ranges):
        assert one.end == following.first
        assert one.first < one.end


@given(blocks=st.integers(2, 10**6), count=st.integers(2, 64))
def test_ranges_are_of_nearly_equal_size(blocks: int, count: int) -> None:
    ranges = block_ranges([blocks], count)
    sizes = [min(part.end, blocks) - part.first for part in ranges]
    assert max(sizes) - min(sizes) <= 1


@given(heaps=st.lists(st.integers(100, 10**6), min_size=1, max_size=8), count=st.integers(2, 10))
def test_ranges_over_several_heaps_hold_nearly_the_same_number_of_blocks(
    heaps: list[int], count: int
) -> None:
    sizes = [
        sum(min(part.end, blocks) - min(part.first, blocks) for blocks in heaps)
        for part in block_ranges(heaps, count)
    ]
    assert sum(sizes) == sum(heaps)
    assert max(sizes) - min(sizes) <= 2 * len(heaps)


@given(sizes=st.lists(st.none() | st.integers(0, 10**6), min_size=1), count=st.integers(1, 64))
def test_every_template_gets_a_share_of_the_fragments(sizes: list[int | None], count: int) -> None:
    given_ = shares(sizes, count)
    assert len(given_) == len(sizes)
    assert min(given_) >= 1
    assert sum(given_) <= 2 * len(sizes) + count


def test_shares_are_in_proportion_to_size() -> None:
    assert shares([300, 100, None], 9) == [6, 2, 1]

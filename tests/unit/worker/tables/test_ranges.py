"""Spans, and the tree of checksums."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.tables.key_range import LANE, Checksum, KeyRange
from worker.tables.spans import spans
from worker.tables.tree import FAN_OUT, tree

KEYS = st.lists(st.integers(0, 999), unique=True, max_size=60).map(
    lambda numbers: [(f"{number:03}",) for number in sorted(numbers)]
)
CHECKSUMS = st.builds(
    Checksum, st.integers(0, 1000), st.integers(0, LANE - 1), st.integers(0, LANE - 1)
)


@given(KEYS, st.integers(1, 20))
def test_spans_cover_all_keys_once(sample: list[tuple[str, ...]], count: int) -> None:
    found = spans(sample, count)
    assert 1 <= len(found) <= count
    assert found[0].low is None
    assert found[-1].high is None
    for one, other in pairwise(found):
        assert one.high == other.low
        assert one.low is None or one.high is None or one.low < one.high


@given(st.lists(CHECKSUMS, min_size=1, max_size=300))
def test_each_level_of_the_tree_sums_up_to_the_root(checksums: list[Checksum]) -> None:
    bounds = [None, *((str(number),) for number in range(1, len(checksums))), None]
    leaves = [
        (KeyRange(low, high), checksum)
        for low, high, checksum in zip(bounds, bounds[1:], checksums, strict=False)
    ]
    nodes = tree(leaves)
    root = nodes[0]
    assert root.checksum == sum(checksums, Checksum())
    for level in range(root.level + 1):
        at = [node for node in nodes if node.level == level]
        assert sum((node.checksum for node in at), Checksum()) == root.checksum
        assert len(at) == -(-len(checksums) // FAN_OUT**level)


@given(st.lists(CHECKSUMS, max_size=20))
def test_no_order_changes_a_sum(checksums: list[Checksum]) -> None:
    reordered = sorted(checksums, key=lambda one: one.low)
    assert sum(checksums, Checksum()).hex == sum(reordered, Checksum()).hex

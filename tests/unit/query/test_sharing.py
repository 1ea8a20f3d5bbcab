"""Segments are shared out evenly, and what they leave over is found whole."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from query.columnar.coverage import Edge, Gap, SegmentFact, gaps, in_order
from query.columnar.sharing import Hands, fragment_count, shared_out
from query.columnar.task import ColumnarFragment, Fetch, RelationPart, SegmentFile

sizes = st.lists(st.integers(1, 1000), min_size=1, max_size=40)


@given(sizes, st.integers(1, 12))
def test_runs_hold_each_segment_once_and_in_order(given_sizes: list[int], count: int) -> None:
    runs = shared_out(given_sizes, count)
    assert [place for run in runs for place in run] == list(range(len(given_sizes)))
    assert all(runs)
    assert len(runs) <= count


@given(st.integers(1, 12), st.integers(1, 30))
def test_equal_segments_make_runs_that_differ_by_no_more_than_one(count: int, total: int) -> None:
    lengths = [len(run) for run in shared_out([100] * total, count)]
    assert max(lengths) - min(lengths) <= 1
    assert len(lengths) == min(count, total)


def test_without_other_tables_there_is_a_fragment_for_each_slot() -> None:
    hands = Hands(slots=4, hosts=1)
    assert fragment_count(10**6, 0, hands, min_rows=1000, most=64) == 4
    assert fragment_count(2500, 0, hands, min_rows=1000, most=64) == 2
    assert fragment_count(10, 0, hands, min_rows=1000, most=64) == 1
    assert fragment_count(10**6, 0, hands, min_rows=1000, most=3) == 3


def test_with_others_each_machine_may_have_one_where_these_are_few() -> None:
    assert fragment_count(10**6, 10**5, Hands(40, 4), min_rows=1000, most=64) == 4
    assert fragment_count(10**6, 10**6, Hands(40, 4), min_rows=1000, most=64) == 1


def segment(number: int, low: int | None, high: int | None) -> SegmentFact:
    def edge(key: int | None) -> Edge | None:
        return None if key is None else Edge(str(key), key)

    return SegmentFact(number, 1, SegmentFile("f", 1, ""), 1, edge(low), edge(high), {})


@given(st.lists(st.integers(-50, 50), unique=True, max_size=12), st.data())
def test_segments_and_gaps_cover_each_key_once(cuts: list[int], data: st.DataObject) -> None:
    bounds: list[int | None] = [None, *sorted(cuts), None]
    every = [segment(n, bounds[n], bounds[n + 1]) for n in range(len(bounds) - 1)]
    kept = data.draw(st.lists(st.sampled_from(every), unique_by=lambda one: one.id))
    ordered = in_order(kept)
    left = gaps(ordered)
    for key in range(-52, 53):
        held = sum(
            (one.lower is None or one.lower.rank <= key)
            and (one.upper is None or key < one.upper.rank)
            for one in ordered
        )
        missing = sum(
            (gap.low is None or int(gap.low) <= key) and (gap.high is None or key < int(gap.high))
            for gap in left
        )
        assert held + missing == 1
    assert (left == [Gap(None, None)]) == (not kept)


def test_a_fragment_survives_its_way_and_is_known_by_what_files_hold() -> None:
    one = ColumnarFragment(
        "SELECT 1", (RelationPart("r0", (("c0", "a", "INTEGER"),), (SegmentFile("f", 5, "ab"),)),),
        1, 10, 100, 5,
    )  # fmt: skip
    assert ColumnarFragment.decode(one.encode()) == one
    moved = ColumnarFragment(
        one.sql, (RelationPart("r0", one.relations[0].columns, (SegmentFile("g", 5, "ab"),)),),
        1, 20, 100, 5,
    )  # fmt: skip
    changed = ColumnarFragment(
        one.sql, (RelationPart("r0", one.relations[0].columns, (SegmentFile("f", 5, "cd"),)),),
        1, 10, 100, 5,
    )  # fmt: skip
    assert moved.digest == one.digest != changed.digest
    fetch = Fetch(7, "public", "t", "id", "integer", ((None, "3"), ("9", None)))
    fetching = replace(one, relations=(replace(one.relations[0], fetch=fetch),), snapshot="0-1")
    assert ColumnarFragment.decode(fetching.encode()) == fetching
    assert fetching.digest is None

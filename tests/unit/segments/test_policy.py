"""What is done next for the buckets of a table."""

from db.tracking.buckets import Bucket, Cut, KeyRange
from segments.policy import BucketState, Build, Merge, PolicyRules, Split, Step, next_steps

RULES = PolicyRules(bucket_rows=1000, refresh_age_s=60)


def states(*given: tuple[int | None, bool, float]) -> list[BucketState]:
    cuts = [None, *(Cut(str(n), n) for n in range(1, len(given))), None]
    return [
        BucketState(Bucket(place, KeyRange(cuts[place], cuts[place + 1])), *one)
        for place, one in enumerate(given)
    ]


def steps(*given: tuple[int | None, bool, float]) -> list[tuple[type[Step], tuple[int, ...]]]:
    found: list[tuple[type[Step], tuple[int, ...]]] = []
    for step in next_steps(states(*given), RULES):
        buckets = step.buckets if isinstance(step, Merge) else (step.bucket,)
        found.append((type(step), tuple(bucket.id for bucket in buckets)))
    return found


def test_nothing_is_done_for_clean_copies_of_the_right_size() -> None:
    assert steps((1000, True, 9e9), (1900, True, 9e9), (0, True, 9e9)) == []


def test_missing_copies_come_first_then_the_oldest_of_the_dirty() -> None:
    assert steps((900, False, 70), (900, False, 90), (None, False, 0), (900, False, 59)) == [
        (Build, (2,)), (Build, (1,)), (Build, (0,)),
    ]  # fmt: skip


def test_a_bucket_of_twice_the_size_is_cut_the_tail_too() -> None:
    assert steps((2000, True, 0), (2500, False, 99)) == [(Split, (0,)), (Split, (1,))]


def test_small_neighbours_become_one_but_never_with_the_tail() -> None:
    assert steps((200, True, 0), (300, True, 0), (100, False, 99), (10, True, 0)) == [
        (Merge, (0, 1)), (Build, (2,)),
    ]  # fmt: skip
    assert steps((200, True, 0), (301, True, 0), (0, True, 0)) == []
    assert steps((200, True, 0), (200, True, 0)) == []

"""What to do next for a table's segments: a pure decision over what is known of its buckets."""

from collections.abc import Sequence
from dataclasses import dataclass

from db.tracking.buckets import Bucket


@dataclass(frozen=True)
class BucketState:
    """A bucket: `rows` of its latest copy (None: there is none), whether that is clean, its age.

    `age_s`: since the copy was made; 0.0 where there is none.  `copy` is its id, 0 where there is
    none.
    """

    bucket: Bucket
    rows: int | None
    is_clean: bool
    age_s: float
    copy: int = 0


@dataclass(frozen=True)
class PolicyRules:
    """`bucket_rows`: how large buckets should be; `refresh_age_s`: a younger copy is left dirty."""

    bucket_rows: int
    refresh_age_s: float


@dataclass(frozen=True)
class Build:
    """Copy this bucket, unless somebody made a later copy than the one that was `seen`."""

    bucket: Bucket
    seen: int = 0


@dataclass(frozen=True)
class Split:
    """Cut this bucket, and the tail above all, since it has grown to twice its size."""

    bucket: Bucket


@dataclass(frozen=True)
class Merge:
    """Make one bucket of these neighbours, since together they are no larger than half of one."""

    buckets: tuple[Bucket, ...]


Step = Build | Split | Merge


def next_steps(states: Sequence[BucketState], rules: PolicyRules) -> list[Step]:
    """Return what to do, first what brings most: missing copies, then dirty ones, oldest first.

    `states` are those of all buckets in order.  Cutting anew comes first, as its buckets have to be
    copied anew afterwards; the tail is never merged, or it would have to be cut off again.
    """
    merges: list[Step] = [Merge(run) for run in _small_runs(states[:-1], rules.bucket_rows)]
    taken = {bucket.id for merge in merges if isinstance(merge, Merge) for bucket in merge.buckets}
    splits: list[Step] = []
    for state in states:
        if state.rows is not None and state.rows >= 2 * rules.bucket_rows:
            splits.append(Split(state.bucket))
            taken.add(state.bucket.id)
    stale = [
        state
        for state in states
        if state.bucket.id not in taken
        and (state.rows is None or (not state.is_clean and state.age_s >= rules.refresh_age_s))
    ]
    stale.sort(key=lambda state: (state.rows is not None, -state.age_s))
    return [*merges, *splits, *(Build(state.bucket, state.copy) for state in stale)]


def _small_runs(states: Sequence[BucketState], bucket_rows: int) -> list[tuple[Bucket, ...]]:
    """Return runs of neighbours as long as can be; no two of them could be merged again."""
    runs: list[list[Bucket]] = [[]]
    total = 0
    for state in states:
        if state.rows is None or (total + state.rows) * 2 > bucket_rows:
            runs.append([])
            total = 0
        if state.rows is not None:
            runs[-1].append(state.bucket)
            total += state.rows
    return [tuple(run) for run in runs if len(run) > 1]

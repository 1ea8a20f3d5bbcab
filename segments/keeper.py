"""Keeps a table's segments up to date: one pass at a time, each step whole in itself."""

from collections.abc import Callable
from dataclasses import dataclass

from db.database import Database
from db.tracking.buckets import Bucket
from db.tracking.care import see_on
from db.tracking.clean_check import begin_checked
from db.tracking.errors import CutsDoNotFit, NotTracked
from db.tracking.installation import cut_anew
from db.tracking.segments import copies_of, mark_broken, segments_of
from db.tracking.tracked_table import TrackedTable, current_buckets
from db.tracking.trimming import tidy, trim
from segments.acceleration import outgrown, read_cuts
from segments.builder import Builder
from segments.errors import Interrupted, RowTooLarge, SegmentDamaged, TableUntracked
from segments.file_format import PARQUET, FileFormat
from segments.folder import SegmentFolder
from segments.policy import BucketState, Build, Merge, PolicyRules, Split, next_steps
from segments.reports import Built
from segments.settings import SegmentSettings

# nobody else reads the whole index for the same cuts meanwhile
CUTTING_S = 60.0


@dataclass(frozen=True)
class Kept:
    """What one pass did: segments built, buckets made by cuts, segments damaged, log rows gone.

    `failure` is why some of the buckets could not be copied, if any.
    """

    built: int
    cut: int
    damaged: int
    trimmed: int
    failure: Exception | None = None


def _unheard(_: Built) -> None:
    """Do nothing about it."""


class Keeper:
    """Looks after segments.  Several may be at it at once: a bucket is built by one of them."""

    def __init__(
        self,
        owner: Database,
        reader: Database,
        folder: SegmentFolder,
        settings: SegmentSettings,
        file_format: FileFormat = PARQUET,
    ) -> None:
        self._owner = owner
        self._reader = reader
        self._folder = folder
        self._settings = settings
        self._builder = Builder(owner, reader, folder, settings, file_format)

    def keep(
        self,
        table: TrackedTable,
        *,
        refresh_age_s: float | None = None,
        sees_to_it: bool = True,
        goes_on: Callable[[], bool] = lambda: True,
        on_built: Callable[[Built], None] = _unheard,
    ) -> Kept:
        """Verify what is there, cut anew what has grown or shrunk, copy what is missing or dirty.

        `refresh_age_s`: a younger copy is left dirty; None: as the settings say.  Unless it
        `sees_to_it`, it copies and does no more: one of those who keep a table sees to the rest.
        `goes_on` is asked before each step and during builds; the rest is left for the next pass
        then.  Raises TableUntracked and what Builder.build does, but for Interrupted, and for
        RowTooLarge, for which the other buckets need not wait.
        """
        age_s = self._settings.refresh_age_s if refresh_age_s is None else refresh_age_s
        rules = PolicyRules(self._settings.bucket_rows, age_s)
        trimmed = damaged = cut = built = 0
        failure: Exception | None = None
        if sees_to_it:
            trimmed = self._trim(table)
            damaged = self._verify(table)
            for step in next_steps(self._states(table), rules):
                if isinstance(step, Merge | Split) and goes_on():
                    buckets = step.buckets if isinstance(step, Merge) else (step.bucket,)
                    cut += self._cut(table, buckets)
        for step in next_steps(self._states(table), rules):
            if isinstance(step, Build) and goes_on():
                if self._has_outgrown(table, step.bucket):
                    # in one piece it might take longer than it may; its parts are for the next pass
                    cut += self._cut(table, (step.bucket,)) if sees_to_it else 0
                    continue
                try:
                    made = self._build(table, step, goes_on)
                except RowTooLarge as error:
                    failure = error
                    continue
                except Interrupted:
                    break
                if made is not None:
                    built += 1
                    on_built(made)
        if sees_to_it and (built or cut or trimmed):
            trimmed += self._trim(table)
            with self._owner.connection() as owner:
                tidy(owner)
        return Kept(built, cut, damaged, trimmed, failure)

    def _trim(self, table: TrackedTable) -> int:
        with self._owner.connection() as owner:
            return trim(owner, table.oid)

    def _verify(self, table: TrackedTable) -> int:
        """Give up segments whose files are damaged or gone; return how many."""
        with self._owner.connection() as owner:
            ready = [one for one in segments_of(owner, table.id) if one.state == "ready"]
        damaged = 0
        for segment in ready:
            try:
                self._folder.verified(
                    segment.file_name, segment.byte_size or 0, segment.sha256 or ""
                )
            except SegmentDamaged as error:
                with self._owner.connection() as owner:
                    damaged += mark_broken(owner, segment.id, str(error))
        return damaged

    def _states(self, table: TrackedTable) -> list[BucketState]:
        # before the check: what another keeper publishes in between would look dirty else
        with self._owner.connection() as owner:
            buckets = current_buckets(owner, table.id)
            copies = copies_of(owner, table.id)
        with self._reader.connection() as reader:
            state = begin_checked(reader, [(table.oid, table.schema, table.name)])[table.oid]
            if state.problem is not None:
                raise TableUntracked(f"{table.schema}.{table.name}: {state.problem}")
        states = []
        for bucket in buckets:
            copy = copies.get(bucket.id)
            if copy is None:
                states.append(BucketState(bucket, None, False, 0.0))
            else:
                is_clean = copy.id in state.clean
                states.append(BucketState(bucket, copy.row_count, is_clean, copy.age_s, copy.id))
        return states

    def _has_outgrown(self, table: TrackedTable, bucket: Bucket) -> bool:
        """Tell whether a tail is too large, which a load into an empty table makes it at once."""
        return bucket.range.upper is None and outgrown(
            self._reader, table, self._settings, bucket.range
        )

    def _cut(self, table: TrackedTable, buckets: tuple[Bucket, ...]) -> int:
        """Merge neighbours, or cut a single bucket by what it holds; return how many came of it."""
        cuts = []
        if len(buckets) == 1:
            with self._owner.connection() as owner:
                see_on(owner, table.id, CUTTING_S)
            cuts = read_cuts(self._reader, table, self._settings, buckets[0].range)
        try:
            with self._owner.connection() as owner:
                return len(cut_anew(owner, table.oid, buckets, cuts))
        except CutsDoNotFit:
            return 0  # another keeper was first

    def _build(self, table: TrackedTable, step: Build, goes_on: Callable[[], bool]) -> Built | None:
        try:
            return self._builder.build(table, step.bucket, seen=step.seen, goes_on=goes_on)
        except NotTracked:
            return None  # another keeper cut it anew

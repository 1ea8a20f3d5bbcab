"""Copies one bucket into a segment: registered, read in one snapshot, written, published."""

import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from db.database import Database
from db.pool import Connection
from db.tracking.buckets import Bucket
from db.tracking.clean_check import begin_checked
from db.tracking.identity import database_identity
from db.tracking.segments import Contents, abandon, building_lock, claim, publish
from db.tracking.tracked_table import TrackedTable
from segments.columns import Plan, plan_columns, schema_of
from segments.errors import ColumnUnfit, Interrupted, NothingToCopy, TableUntracked
from segments.file_format import PARQUET, FileFormat, Writer
from segments.folder import SegmentFolder, digest
from segments.reports import Built
from segments.settings import SegmentSettings
from segments.source import batches
from segments.statistics import Statistics

_MOMENT = """SELECT pg_current_snapshot()::text, relfilenode,
       pg_try_advisory_xact_lock($2::int, $3::int)
  FROM pg_class WHERE oid = $1::oid"""


@dataclass(frozen=True)
class Written:
    """What was written of a bucket, before it is published."""

    plan: Plan
    row_count: int
    statistics: dict[str, dict[str, object]]


class Builder:
    """Builds segments in a folder; reads as the reader, lists as the owner."""

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
        self._format = file_format

    def build(
        self,
        table: TrackedTable,
        bucket: Bucket,
        *,
        seen: int | None = None,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> Built | None:
        """Build and publish a segment of a bucket; return it, or None if nobody wants it.

        Nobody does where somebody else builds it, or built a later one than `seen` (0: none was;
        None: that is no matter), or where the acceleration was removed meanwhile.  `goes_on` is
        asked now and then.  Raises TableUntracked, FolderFull, RowTooLarge, Interrupted,
        DatabaseError, psycopg.Error, OSError; nothing remains then.
        """
        self._folder.check_room(1)
        with self._owner.connection() as owner:
            place = f"{database_identity(owner)}/{table.id}"
            name = f"{place}/{bucket.id}-{secrets.token_hex(8)}.{self._format.suffix}"
            segment = claim(owner, bucket, name, seen)
        if segment is None:
            return None
        contents = None
        try:
            contents = self._copy(table, bucket, segment, name, goes_on)
        finally:
            pa.default_memory_pool().release_unused()  # a hundred megabytes, until the next one
            if contents is None:
                self._folder.remove(name)
                with self._owner.connection() as owner:
                    abandon(owner, segment)
        if contents is None:
            return None
        return Built(segment, contents.row_count, contents.byte_size)

    def _copy(
        self,
        table: TrackedTable,
        bucket: Bucket,
        segment: int,
        name: str,
        goes_on: Callable[[], bool],
    ) -> Contents | None:
        """Return what was published; None if nobody wants it any more."""
        with self._reader.connection() as reader:
            reader.patience_s = self._settings.build_limit_s
            names = (table.oid, table.schema, table.name)
            state = begin_checked(reader, [names])[table.oid]
            if state.problem is not None:
                raise TableUntracked(f"{table.schema}.{table.name}: {state.problem}")
            limit = round(self._settings.build_limit_s * 1000)
            reader.execute(f"SET LOCAL statement_timeout = {limit}".encode())
            # foreground queries need the processors more
            reader.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            row = reader.execute(_MOMENT, [str(table.oid), *building_lock(segment)]).fetchone()
            snapshot, file_node = (str(row[0]), int(str(row[1]))) if row else ("", 0)
            with self._folder.writing(name) as path:
                written = self._write(reader, table, bucket, path, goes_on)
                contents = Contents(
                    snapshot, file_node, written.row_count, path.stat().st_size, digest(path),
                    written.statistics, written.plan.left_out,
                )  # fmt: skip
            # while the reader's transaction goes on, the clean-up knows that somebody is at it
            with self._owner.connection() as owner:
                return contents if publish(owner, segment, contents) else None

    def _write(
        self,
        reader: Connection,
        table: TrackedTable,
        bucket: Bucket,
        path: Path,
        goes_on: Callable[[], bool],
    ) -> Written:
        """Write the file; a column that turns out to be unfit is left out of a second attempt."""
        unfit: dict[str, str] = {}
        while True:
            plan = plan_columns(reader, table.oid, unfit)
            if not plan.columns:
                raise NothingToCopy(f"No column of {table.schema}.{table.name} can be copied.")
            # seen before COPY's own error would end the transaction
            reader.execute("SAVEPOINT before_copy")
            try:
                return self._write_once(reader, table, bucket, path, plan, goes_on)
            except ColumnUnfit as error:
                unfit[error.column] = error.reason
                reader.execute("ROLLBACK TO SAVEPOINT before_copy")

    def _write_once(
        self,
        reader: Connection,
        table: TrackedTable,
        bucket: Bucket,
        path: Path,
        plan: Plan,
        goes_on: Callable[[], bool],
    ) -> Written:
        settings = self._settings
        statistics = Statistics(plan.columns)
        rows = 0
        room = self._folder.room()
        read_bytes = settings.read_mb * 1024**2
        with (
            closing(batches(reader, table, bucket.range, plan.columns, read_bytes)) as source,
            self._format.writer(path, schema_of(plan.columns)) as writer,
        ):
            group: list[pa.RecordBatch] = []
            held_rows = held_bytes = 0
            for batch in source:
                if not goes_on():
                    raise Interrupted("The build was ended before its end.")
                statistics.add(batch)
                rows += batch.num_rows
                group.append(batch)
                held_rows += batch.num_rows
                held_bytes += batch.nbytes
                if held_rows >= settings.group_rows or held_bytes >= settings.group_mb * 1024**2:
                    _write_group(writer, group)
                    group, held_rows, held_bytes = [], 0, 0
                    if path.stat().st_size > room:
                        self._folder.check_room(0)
            _write_group(writer, group)
        self._folder.check_room(0)
        return Written(plan, rows, statistics.result())


def _write_group(writer: Writer, group: Sequence[pa.RecordBatch]) -> None:
    if group:
        writer.write(pa.Table.from_batches(group))

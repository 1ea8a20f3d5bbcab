"""Runs one fragment over segments, in DuckDB, and returns its partial."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa

from columnar.engine import ColumnarEngine
from columnar.errors import EngineRefuses, FileUnreadable
from columnar.relation import RelationFiles
from db.pool import Connection
from query.columnar.task import ColumnarFragment, SegmentFile
from query.fragment import Partial
from segments.errors import SegmentDamaged, SegmentError
from segments.fetching import Wanted, fetch
from segments.folder import SegmentFolder
from worker.failures import SegmentsUnreadable

Cancelling = Callable[[Callable[[], None]], AbstractContextManager[object]]


class ColumnarRunner:
    """One for a process: its engine has bounds for all runs together.

    `on_ran` is told of each run: its seconds, and the bytes of the files that it named.
    """

    def __init__(
        self,
        engine: ColumnarEngine,
        folder: SegmentFolder,
        on_ran: Callable[[float, int], None] = lambda _seconds, _bytes: None,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._on_ran = on_ran

    def partial(
        self,
        fragment: ColumnarFragment,
        fetched: Mapping[str, pa.Table],
        *,
        timeout_s: float,
        cancelling: Cancelling,
    ) -> Partial:
        """Return the partial; its columns are for the replica to name.

        `fetched` are rows of PostgreSQL by the names of the relations that want them.  Raises
        SegmentsUnreadable, and columnar.errors.
        """
        files = {file.name: file for one in fragment.relations for file in one.files}
        paths = self._verified(list(files.values()))
        relations = [
            RelationFiles(
                one.name,
                one.columns,
                [paths[file.name] for file in one.files],
                fetched.get(one.name),
            )
            for one in fragment.relations
        ]
        began = time.monotonic()
        try:
            answer = self._engine.run(
                fragment.sql,
                relations,
                timeout_s=timeout_s,
                max_rows=fragment.max_rows,
                max_bytes=fragment.max_bytes,
                cancelling=cancelling,
            )
        except FileUnreadable as error:
            # verified when this process met them first: they have changed since, or the disk fails
            for name in files:
                self._folder.forget(name)
            self._verified(list(files.values()))
            raise SegmentsUnreadable(list(files), str(error)) from error
        self._on_ran(time.monotonic() - began, sum(file.byte_size for file in files.values()))
        return Partial((), answer.data, answer.row_count)

    @staticmethod
    def fetched(connection: Connection, fragment: ColumnarFragment) -> dict[str, pa.Table]:
        """Return the rows of PostgreSQL that a fragment wants, by the names of its relations.

        The connection's transaction is at the fragment's snapshot.  Raises EngineRefuses where
        they cannot be had exactly, and psycopg.Error.
        """
        found: dict[str, pa.Table] = {}
        left = fragment.max_fetched
        for one in fragment.relations:
            if one.fetch is None:
                continue
            names = [name for _, name, _ in one.columns]
            wanted = Wanted(
                one.fetch.oid, one.fetch.schema, one.fetch.table, names, one.fetch.key,
                one.fetch.key_type, one.fetch.ranges,
            )  # fmt: skip
            try:
                found[one.name] = fetch(connection, wanted, left)
            except SegmentError as error:
                raise EngineRefuses(str(error)) from error
            left -= found[one.name].num_rows
        return found

    def _verified(self, files: list[SegmentFile]) -> dict[str, Path]:
        """Return the paths of files that are what was written.  Raises SegmentsUnreadable."""
        paths: dict[str, Path] = {}
        broken: dict[str, str] = {}
        for file in files:
            try:
                paths[file.name] = self._folder.verified(file.name, file.byte_size, file.sha256)
            except SegmentDamaged as error:
                broken[file.name] = str(error)
        if broken:
            raise SegmentsUnreadable(list(broken), next(iter(broken.values())))
        return paths

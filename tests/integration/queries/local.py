"""Runs fragments right here, without the queue: for tests of planning and merging alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Self

import psycopg

from columnar.errors import ColumnarError
from db.database import Database
from query.columnar.task import ColumnarFragment, is_columnar
from query.fragment import Fragment, Partial
from tasks.capacity import Capacity
from tasks.dispatcher import Dispatcher
from tasks.message import Reply
from worker.columnar_runner import ColumnarRunner
from worker.failures import SegmentsUnreadable, fragment_error


class LocalScatter:
    """Runs each fragment when it is asked for, last one first: order must not matter."""

    def __init__(
        self,
        database: Database,
        payloads: Sequence[bytes],
        over_segments: ColumnarRunner | None = None,
        on_sent: Callable[[int], None] = lambda _rows: None,
    ) -> None:
        self._database = database
        self._payloads = payloads
        self._over_segments = over_segments
        self._on_sent = on_sent

    def gather(self) -> Iterator[Reply]:
        for index, payload in reversed(list(enumerate(self._payloads))):
            yield self._reply(index, payload)

    def _reply(self, index: int, payload: bytes) -> Reply:
        try:
            if is_columnar(payload):
                assert self._over_segments is not None
                fragment = ColumnarFragment.decode(payload)
                fetched = {}
                if fragment.fetches:
                    with self._database.connection() as connection:
                        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                        connection.execute(
                            f"SET TRANSACTION SNAPSHOT '{fragment.snapshot}'".encode()
                        )
                        fetched = self._over_segments.fetched(connection, fragment)
                partial = self._over_segments.partial(
                    fragment, fetched, timeout_s=30.0, cancelling=lambda _: nullcontext()
                )
                self._on_sent(partial.row_count)
                return Reply(index, partial.encode(), "here", None, 0.0, 0.0)
            return Reply(index, self._run(Fragment.decode(payload)), "here", None, 0.0, 0.0)
        except (psycopg.Error, SegmentsUnreadable, ColumnarError) as error:
            told = fragment_error(error)
            return Reply(index, b"", "here", told.encode(), 0.0, 0.0)

    def stop(self) -> None:
        """Nothing: each fragment here takes an instant."""

    def _run(self, fragment: Fragment) -> bytes:
        from app.queries.transaction import Rows

        with self._database.connection() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(f"SET TRANSACTION SNAPSHOT '{fragment.snapshot}'")
            stream = Rows(connection, fragment.sql, fragment.params)
            rows = list(stream)
        data = [list(column) for column in zip(*rows, strict=True)]
        return Partial(stream.columns, data or [[] for _ in stream.columns], len(rows)).encode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class LocalDispatcher(Dispatcher):
    """Four slots, here."""

    def __init__(self, database: Database, over_segments: ColumnarRunner | None = None) -> None:
        self._database = database
        self._over_segments = over_segments
        self.scattered: list[int] = []
        self.sent = 0

    def capacity(self) -> Capacity:
        return Capacity(2, 4, 4, segment_readers=2 if self._over_segments else 0)

    def scatter(  # type: ignore[override]
        self,
        payloads: Sequence[bytes],
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> LocalScatter:
        self.scattered.append(len(payloads))
        return LocalScatter(self._database, payloads, self._over_segments, self._count)

    def _count(self, rows: int) -> None:
        self.sent = rows

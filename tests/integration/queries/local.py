"""Runs fragments right here, without the queue: for tests of planning and merging alone."""

from collections.abc import Iterator, Sequence
from typing import Self

import psycopg

from db.database import Database
from query.fragment import Fragment, FragmentError, Partial
from tasks.capacity import Capacity
from tasks.dispatcher import Dispatcher
from tasks.message import Reply


class LocalScatter:
    """Runs each fragment when it is asked for, last one first: order must not matter."""

    def __init__(self, database: Database, payloads: Sequence[bytes]) -> None:
        self._database = database
        self._payloads = payloads

    def gather(self) -> Iterator[Reply]:
        for index, payload in reversed(list(enumerate(self._payloads))):
            yield self._reply(index, Fragment.decode(payload))

    def _reply(self, index: int, fragment: Fragment) -> Reply:
        try:
            return Reply(index, self._run(fragment), "here", None, 0.0, 0.0)
        except psycopg.Error as error:
            told = FragmentError("sql", str(error), error.sqlstate)
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

    def __init__(self, database: Database) -> None:
        self._database = database

    def capacity(self) -> Capacity:
        return Capacity(2, 4, 4)

    def scatter(  # type: ignore[override]
        self, payloads: Sequence[bytes], *, timeout_s: float
    ) -> LocalScatter:
        return LocalScatter(self._database, payloads)

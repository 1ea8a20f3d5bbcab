"""COPY … TO STDOUT: the rows of a statement as bytes that PostgreSQL has formatted."""

import select
from collections.abc import Iterator
from functools import partial

import psycopg
from psycopg.generators import execute, fetch_many
from psycopg.pq import ExecStatus

from db.pool import Connection

CHUNK_BYTES = 128 * 1024
WAIT_MS = 500  # of one look at the socket, and at the time
LINGER_MS = 50  # rows that are there wait so long for more


class CopyOut:
    """A running COPY.  Iterating yields pieces of whole rows and how many rows each has.

    `head_rows` of what comes first are no rows of the answer (a header).  At most `max_rows` are
    taken; `truncated` tells that there were more.
    """

    def __init__(self, connection: Connection, sql: str, *, max_rows: int, head_rows: int) -> None:
        self._connection = connection
        self._sql = sql
        self._head_rows = head_rows
        self._left = max_rows + head_rows
        self._parts: list[memoryview] = []
        self.truncated = False

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Run it.  Raises psycopg.Error.

        Who leaves early, or has it truncated, leaves the statement running: it ends when the
        connection is given back.  By the extended protocol, which takes no second statement.
        """
        connection, pgconn = self._connection, self._connection.pgconn
        pgconn.send_query_params(self._sql.encode(), [])
        (started,) = connection.wait(execute(pgconn))
        if started.status != ExecStatus.COPY_OUT:
            raise psycopg.errors.error_from_result(started)
        yield from self._pieces()
        if not self.truncated:
            # before the last rows: a statement that fails early is better answered with its error
            for result in connection.wait(fetch_many(pgconn)):
                if result.status != ExecStatus.COMMAND_OK:
                    raise psycopg.errors.error_from_result(result)
        if self._parts:
            yield self._take()

    def _pieces(self) -> Iterator[tuple[bytes, int]]:
        pgconn, parts = self._connection.pgconn, self._parts
        get, append = pgconn.get_copy_data, parts.append
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN)
        size = 0
        while True:
            # One message is one row, also where its values hold line breaks.  What is done here
            # for each row is most of what an export costs the replica.
            length = 1
            while size < CHUNK_BYTES:
                length, data = get(1)
                if length <= 0:
                    break
                append(data)
                size += length
            if len(parts) > self._left:
                del parts[self._left :]
                self.truncated = True
                return
            if length < 0:
                return
            if length == 0:
                some = len(parts) > self._head_rows
                wait_ms = LINGER_MS if some else WAIT_MS
                if self._connection.counted(partial(poll.poll, wait_ms)) or not some:
                    # waiting inside libpq would keep Python's lock, and all other threads
                    pgconn.consume_input()
                    self._connection.check_time()
                    continue
            yield self._take()
            size = 0

    def _take(self) -> tuple[bytes, int]:
        piece = b"".join(self._parts), len(self._parts) - self._head_rows
        self._left -= len(self._parts)
        self._head_rows = 0
        self._parts.clear()
        return piece

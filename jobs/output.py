"""What tasks leave behind for whoever asks for it: rows, in pieces, in the order of the tasks."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias, cast

import pyarrow as pa

from db.binary import execute_binary, integer
from db.database import Database
from db.pool import Connection
from jobs.record import TaskClaim

OutputRow: TypeAlias = Sequence[Any]
"""Values that JSON knows, in the order of the stream's columns."""

PIECES_AT_ONCE = 4

_INSERT = """INSERT INTO job_output (job_id, stream, task, token, piece, rows, data)
VALUES ($1, $2, $3::int, $4::int8, $5::int, $6::int, $7)"""

# Of a task that ran more than once only what its last, successful attempt has written.
_COUNTED = """job_output AS output JOIN job_tasks AS task
    ON task.job_id = output.job_id AND task.number = output.task AND task.token = output.token
 WHERE output.job_id = $1 AND output.stream = $2 AND task.state = 'done'
   AND ($3::int IS NULL OR output.task < $3::int)"""
# Parameters: job id, stream, the task to end before (null: none), task and piece of the last one
# read, how many.
_READ = f"""SELECT output.task, output.piece, output.rows, output.data FROM {_COUNTED}
   AND (output.task, output.piece) > ($4::int, $5::int)
 ORDER BY output.task, output.piece LIMIT $6::int"""
_COUNT = f"SELECT coalesce(sum(output.rows), 0) FROM {_COUNTED}"
# The last piece that lies whole within the first $4 rows, and how many rows there are up to it.
_SEEK = f"""SELECT task, piece, upto FROM (
    SELECT output.task, output.piece,
           sum(output.rows) OVER (ORDER BY output.task, output.piece) AS upto FROM {_COUNTED}) AS p
 WHERE upto <= $4::int8 ORDER BY task DESC, piece DESC LIMIT 1"""
_FIRST_UNFINISHED = """SELECT min(number) FROM job_tasks
 WHERE job_id = $1 AND state IN ('held', 'ready', 'leased')"""

_DELETE = "DELETE FROM job_output WHERE job_id = $1 AND stream = $2 AND task = $3::int"
# in the name of the attempt that counts
_INSERT_FOR = """INSERT INTO job_output (job_id, stream, task, token, piece, rows, data)
SELECT job_id, $2, number, token, $4::int, $5::int, $6 FROM job_tasks
 WHERE job_id = $1 AND number = $3::int"""

_codec = pa.Codec("zstd", 1)


@dataclass(frozen=True)
class Piece:
    """Rows that one task wrote at once; `number` counts the pieces of the task.

    `count` is how many rows, and `text` is the JSON of them all: an array of arrays.
    """

    task: int
    number: int
    count: int
    text: str

    @property
    def rows(self) -> list[OutputRow]:
        """Return the rows themselves."""
        return cast("list[OutputRow]", json.loads(self.text))


class Output:
    """Every method raises db.errors when PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stage(self, claim: TaskClaim, stream: str, number: int, rows: Sequence[OutputRow]) -> None:
        """Write a piece now; nobody sees it before the task is done, or at all if it fails."""
        self.stage_packed(claim, stream, number, PackedRows.of(rows))

    def stage_packed(self, claim: TaskClaim, stream: str, number: int, rows: "PackedRows") -> None:
        """Write a piece now, as `stage` does, of rows that are packed already."""
        with self._database.connection() as connection:
            write_packed(connection, claim, stream, number, rows)

    def pieces(
        self,
        job_id: str,
        stream: str,
        after: tuple[int, int] = (-1, -1),
        before: int | None = None,
    ) -> Iterator[Piece]:
        """Yield what tasks that are done have left, from behind (task, piece) `after` on.

        `before`: only of tasks with lower numbers.
        """
        limit = None if before is None else str(before)
        while True:
            values = [job_id, stream, limit, str(after[0]), str(after[1]), str(PIECES_AT_ONCE)]
            with self._database.connection() as connection:
                found = execute_binary(connection, _READ, values)
            for task, number, rows, data in found:
                after = (integer(task), integer(number))
                yield Piece(*after, integer(rows), unpacked(data or b"").decode())
            if len(found) < PIECES_AT_ONCE:
                return

    def count(self, job_id: str, stream: str, before: int | None = None) -> int:
        """Return the number of rows there are now."""
        values = [job_id, stream, None if before is None else str(before)]
        with self._database.connection() as connection:
            row = connection.execute(_COUNT.encode(), values).fetchone()
        return int((row or ("0",))[0] or 0)

    def seek(
        self, job_id: str, stream: str, rows: int, before: int | None = None
    ) -> tuple[tuple[int, int], int]:
        """Return behind which (task, piece) the row of that number is, and how many rows are there.

        Numbers count from 0.
        """
        values = [job_id, stream, None if before is None else str(before), str(rows)]
        with self._database.connection() as connection:
            row = connection.execute(_SEEK.encode(), values).fetchone()
        if row is None:
            return (-1, -1), 0
        task, piece, upto = (int(value or 0) for value in row)
        return (task, piece), upto

    def first_unfinished(self, job_id: str) -> int | None:
        """Return the number of the first task that may still leave rows; None if none may."""
        with self._database.connection() as connection:
            row = connection.execute(_FIRST_UNFINISHED, [job_id]).fetchone()
        return None if row is None or row[0] is None else int(row[0])


def write(
    connection: Connection, claim: TaskClaim, stream: str, number: int, rows: Sequence[OutputRow]
) -> None:
    """Write a piece in the caller's transaction, as an effect of the task."""
    write_packed(connection, claim, stream, number, PackedRows.of(rows))


@dataclass(frozen=True)
class PackedRows:
    """Rows as they are kept: eight bytes of length, then zstd of a JSON array of them."""

    count: int
    data: bytes

    @classmethod
    def of(cls, rows: Sequence[OutputRow]) -> Self:
        """Pack rows."""
        return cls(len(rows), pack(rows))

    @classmethod
    def of_texts(cls, rows: Sequence[str]) -> Self:
        """Pack rows that are JSON arrays already."""
        return cls(len(rows), _packed(f"[{','.join(rows)}]".encode()))


def write_packed(
    connection: Connection, claim: TaskClaim, stream: str, number: int, rows: PackedRows
) -> None:
    """Write a piece that was packed outside of the transaction, which is short then."""
    execute_binary(
        connection,
        _INSERT,
        [
            claim.job_id, stream, str(claim.number), str(claim.token), str(number),
            str(rows.count), rows.data,
        ],
    )  # fmt: skip


def rewrite(
    connection: Connection, job_id: str, stream: str, task: int, pieces: Sequence[PackedRows]
) -> None:
    """Put other pieces in the place of those that a task has left, in the caller's transaction.

    Only for a task that corrects, as an effect, what an earlier one of its job has left.
    """
    connection.execute(_DELETE, [job_id, stream, str(task)])
    for number, piece in enumerate(pieces):
        execute_binary(
            connection,
            _INSERT_FOR,
            [job_id, stream, str(task), str(number), str(piece.count), piece.data],
        )


def pack(rows: Sequence[OutputRow]) -> bytes:
    """Return rows as they are kept."""
    return _packed(json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode())


def _packed(text: bytes) -> bytes:
    packed: bytes = _codec.compress(text, asbytes=True)
    return len(text).to_bytes(8, "big") + packed


def unpack(data: bytes) -> list[OutputRow]:
    """Return what `pack` was given."""
    return cast("list[OutputRow]", json.loads(unpacked(data)))


def unpacked(data: bytes) -> bytes:
    """Return the JSON of what `pack` was given, in UTF-8."""
    size = int.from_bytes(data[:8], "big")
    text: bytes = _codec.decompress(data[8:], size, asbytes=True)
    return text

"""Files cut into chunks as the database keeps them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from db.binary import execute_binary, integer
from db.pool import Connection
from jobs import upload_sql

CHUNK_BYTES = 1024 * 1024
"""How much of a file one chunk holds; the last of a request may hold less."""

CHUNKS_AT_ONCE = 8
"""How many become durable together: so much may have to be sent again after a crash."""

# what is hardly smaller is kept as it is, and need not be decompressed
WORTH_IT = 0.9

_codec = pa.Codec("zstd", 1)


@dataclass(frozen=True)
class Chunk:
    """`size` bytes of a file; `data` is what is kept of them."""

    size: int
    is_compressed: bool
    data: bytes

    @classmethod
    def pack(cls, content: bytes) -> "Chunk":
        """Return the chunk of at most CHUNK_BYTES of a file."""
        packed = cast("bytes", _codec.compress(content, asbytes=True))
        if len(packed) < WORTH_IT * len(content):
            return cls(len(content), True, packed)
        return cls(len(content), False, content)

    def content(self) -> bytes:
        """Return the bytes of the file."""
        if not self.is_compressed:
            return self.data
        return cast("bytes", _codec.decompress(self.data, self.size, asbytes=True))


def groups(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the pieces cut anew, into lists of CHUNKS_AT_ONCE times CHUNK_BYTES; the last is less.

    Where the pieces fail, what had come is yielded before their error is raised: a client whose
    connection broke need not send it again.
    """
    source = iter(pieces)
    group: list[bytes] = []
    rest = bytearray()
    failure: Exception | None = None
    while failure is None:
        try:
            rest += next(source)
        except StopIteration:
            break
        except Exception as error:  # noqa: BLE001 - raised below
            failure = error
        while len(rest) >= CHUNK_BYTES:
            group.append(bytes(memoryview(rest)[:CHUNK_BYTES]))
            del rest[:CHUNK_BYTES]
            if len(group) == CHUNKS_AT_ONCE:
                yield group
                group = []
    if rest:
        group.append(bytes(rest))
    if group:
        yield group
    if failure is not None:
        raise failure


def insert(connection: Connection, upload_id: str, start: int, chunks: Iterable[Chunk]) -> None:
    """Write chunks, one behind the other, in the caller's transaction."""
    for chunk in chunks:
        execute_binary(
            connection,
            upload_sql.INSERT_CHUNK,
            [upload_id, str(start), str(chunk.size), str(chunk.is_compressed).lower(), chunk.data],
        )
        start += chunk.size


def select(
    connection: Connection, upload_id: str, start: int, most: int
) -> list[tuple[int, Chunk]]:
    """Return at most `most` chunks with their starts, from the one that holds byte `start` on."""
    found = execute_binary(connection, upload_sql.CHUNKS, [upload_id, str(start), str(most)])
    return [
        (integer(begin), Chunk(integer(size), is_compressed == b"\x01", data or b""))
        for begin, size, is_compressed, data in found
    ]

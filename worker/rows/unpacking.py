"""Compressed files: told by their first bytes, and unpacked in constant memory."""

import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pyarrow as pa

from db.database import Database
from jobs.errors import PermanentFailure
from jobs.uploads import Uploads

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
PIECE_BYTES = 1024 * 1024


def compression_of(head: bytes) -> str:
    """Return "gzip", "zstd" or "none" by a file's first bytes."""
    if head.startswith(GZIP):
        return "gzip"
    return "zstd" if head.startswith(ZSTD) else "none"


def unpacked(source: Iterable[bytes], compression: str) -> Iterator[bytes]:
    """Yield the bytes of a compressed file.  Raises PermanentFailure where it is damaged."""
    pieces = _gzip(source) if compression == "gzip" else _zstd(source)
    try:
        yield from pieces
    except (zlib.error, pa.ArrowException, OSError) as error:
        raise PermanentFailure(
            f"The {compression} is damaged: {error}", "FileUnreadable"
        ) from error


def unpack(
    database: Database,
    uploads: Uploads,
    packed_id: str,
    compression: str,
    unpacked_id: str,
    most_bytes: int,
    check: Callable[[int], None],
) -> int:
    """Keep the unpacked file as another upload; return its size.

    What an earlier attempt has kept is kept: the bytes are the same each time, so this one goes on
    behind them.  `check` is called with the size now and then.  Raises PermanentFailure for more
    than `most_bytes`.
    """
    limits = replace(uploads.limits, max_bytes=most_bytes)
    own = Uploads(database, limits, new_id=lambda: unpacked_id)
    known = own.find(unpacked_id)
    if known is None:
        own.create("unpacked")
    elif known.is_complete:
        return known.size
    kept = 0 if known is None else known.size
    counted = _bounded(unpacked(uploads.read(packed_id), compression), most_bytes, check)
    size = own.append(unpacked_id, kept, _behind(counted, kept))
    own.complete(unpacked_id)
    return size


def _bounded(
    pieces: Iterable[bytes], most_bytes: int, check: Callable[[int], None]
) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most_bytes:
            reason = f"Unpacked, the file has more than {most_bytes} bytes"
            raise PermanentFailure(f"{reason} (MILLRACE_JOBS_MAX_UNPACKED_BYTES).", "FileTooLarge")
        check(size)
        yield piece


def _behind(pieces: Iterable[bytes], skipped: int) -> Iterator[bytes]:
    for piece in pieces:
        if skipped < len(piece):
            yield piece[skipped:] if skipped else piece
        skipped = max(0, skipped - len(piece))


def _gzip(source: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack all members (RFC 1952): a file may be several, one behind the other."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for piece in source:
        data = piece
        while data:
            if member.eof:
                data = data.lstrip(b"\0")  # padding of tapes, which gzip, too, passes over
                if not data:
                    break
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            found = member.decompress(data, PIECE_BYTES)
            if found:
                yield found
            data = member.unused_data if member.eof else member.unconsumed_tail
        while not member.eof and (found := member.decompress(b"", PIECE_BYTES)):
            yield found
    if not member.eof:
        raise zlib.error("it is cut off")


def _zstd(source: Iterable[bytes]) -> Iterator[bytes]:
    stream = pa.CompressedInputStream(pa.PythonFile(_Readable(iter(source)), mode="r"), "zstd")
    with stream:
        while found := stream.read(PIECE_BYTES):
            yield bytes(found)


class _Readable(io.RawIOBase):
    """Pieces as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = piece
        size = len(self._rest) if size < 0 else size
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

"""Content codings, one piece after the other, at their fastest level."""

import zlib
from collections.abc import Generator, Iterable

import pyarrow as pa

FASTEST = 1
GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib's way to ask for gzip's frame
PIECE_BYTES = 64 * 1024


class Drain:
    """A file that pyarrow writes to, and that is emptied by `take`."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        """Keep `data`."""
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is nothing behind this."""

    def close(self) -> None:
        """Do nothing: what was written is still to be taken."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        self.size = 0
        return data


def compressed(
    pieces: Generator[bytes, None, None], encoding: str | None
) -> Generator[bytes, None, None]:
    """Return `pieces` in the content coding "gzip" or "zstd"; as they are for None."""
    if encoding is None:
        return pieces
    return _gzip(pieces) if encoding == "gzip" else _zstd(pieces)


def _gzip(pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    compressor = zlib.compressobj(FASTEST, zlib.DEFLATED, GZIP_WINDOW)
    kept, begun = b"", False
    try:
        for piece in pieces:
            begun = True
            kept += compressor.compress(piece)
            if len(kept) >= PIECE_BYTES:
                yield kept
                kept = b""
    except Exception:
        # what came before the error, such as its description, must be readable
        if begun:
            yield kept + compressor.flush(zlib.Z_SYNC_FLUSH)
        raise
    yield kept + compressor.flush()


def _zstd(pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    drain = Drain()
    # its default level is zstd's fastest, 1
    stream = pa.CompressedOutputStream(pa.PythonFile(drain, "w"), "zstd")
    begun = False
    try:
        for piece in pieces:
            begun = True
            stream.write(piece)
            if drain.size >= PIECE_BYTES:
                yield drain.take()
    except Exception:
        if begun:
            stream.flush()
            yield drain.take()
        raise
    stream.close()
    yield drain.take()

"""Digests of files and pipes, by several algorithms in one pass."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from hashing.digester import Digester

STANDARD_INPUT = "-"
# below it the interpreter's lock is taken more often than it pays; above it caches overflow
PIECE_BYTES = 1024 * 1024

Seen = Callable[[int], object]


@dataclass(frozen=True)
class FileDigests:
    """The digests of one file, by name; `error` instead when it can't be read."""

    file: str
    size_bytes: int
    digests: dict[str, bytes]
    error: str | None = None


def digest_file(
    digester: Digester, file: str, algorithms: Sequence[str], seen: Seen
) -> FileDigests:
    """Return the digests of a file, or of standard input (`-`); never raises for an unreadable one.

    `seen` is called with the number of bytes of each piece.
    """
    several = digester.several(algorithms)
    try:
        with _opened(file) as stream:
            while piece := stream.read(PIECE_BYTES):
                several.update(piece)
                seen(len(piece))
    except OSError as error:
        return FileDigests(file, 0, {}, error.strerror or str(error))
    return FileDigests(file, several.size_bytes, several.digests())


def total_bytes(files: Sequence[str]) -> int | None:
    """Return the size of all files together; None when one of them is no regular file."""
    total = 0
    for file in files:
        path = Path(file)
        if file == STANDARD_INPUT or not path.is_file():
            return None
        total += path.stat().st_size
    return total


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO | FileIO]:
    if file == STANDARD_INPUT:
        yield sys.stdin.buffer
    else:
        # unbuffered: pieces are large, and a copy through a buffer would cost a tenth of the time
        with Path(file).open("rb", buffering=0) as opened:
            yield opened

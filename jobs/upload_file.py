"""An upload as a file, for readers that jump about in it."""

import io
import os
from collections.abc import Callable

from jobs.upload_chunks import Chunk


class UploadFile(io.RawIOBase):
    """Reads one chunk at a time, and keeps it for the next read.

    `chunk_at` returns the chunk that holds a byte, with its start; `size` is the file's.
    """

    def __init__(self, chunk_at: Callable[[int], tuple[int, Chunk]], size: int) -> None:
        super().__init__()
        self._chunk_at = chunk_at
        self._size = size
        self._position = 0
        self._start = 0
        self._content = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a byte; return which it is."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "memoryview[int] | bytearray", /) -> int:  # type: ignore[override]
        """Fill as much of the buffer as the file still has; return how many bytes."""
        target = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(target) and self._position < self._size:
            begin = self._position - self._start
            if not 0 <= begin < len(self._content):
                self._start, chunk = self._chunk_at(self._position)
                self._content = chunk.content()
                continue
            part = self._content[begin : begin + len(target) - filled]
            target[filled : filled + len(part)] = part
            filled += len(part)
            self._position += len(part)
        return filled

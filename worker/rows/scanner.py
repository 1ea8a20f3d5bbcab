"""Goes through a text file by windows of whole records, in constant memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from worker.rows.records import RecordFormat

WINDOW_BYTES = 64 * 1024  # stays in the processor's cache: a quarter faster than 256 KiB


@dataclass(frozen=True)
class Place:
    """A place in a file: bytes before it, and the numbers, from 1, of its record and its line."""

    offset: int = 0
    row: int = 1
    line: int = 1


class Broken(NamedTuple):
    """A record that cannot be read; `content` may be cut off where it is too long."""

    content: bytes
    reason: str


@dataclass(frozen=True)
class Window:
    """Some whole records that follow each other, and where they begin.

    Either `data` holds all of them, `rows` in number and none of them broken as far as quotes can
    tell; or `records` are them one by one.
    """

    at: Place
    after: Place
    data: bytes
    records: Sequence[bytes | Broken] = ()

    @property
    def rows(self) -> int:
        """Return the number of records."""
        return self.after.row - self.at.row


def windows(
    source: Iterable[bytes],
    form: RecordFormat,
    at: Place = Place(),
    window_bytes: int = WINDOW_BYTES,
) -> Iterator[Window]:
    """Yield the records of `source`, which begins `at` a place where a record does.

    Which these are depends neither on how the source is divided nor on the size of windows.
    """
    buffer = _Buffer(iter(source))
    size = min(window_bytes, form.limit)
    while buffer.fill(size + form.limit + 2):
        window = buffer.data[buffer.start : buffer.start + size]
        prefix = form.prefix(window)
        if prefix is None:
            records, after = _one_by_one(buffer, form, size, at)
            yield Window(at, after, b"", records)
        else:
            kept = window[: prefix.size]
            after = Place(at.offset + prefix.size, at.row + prefix.rows, at.line + prefix.lines)
            buffer.start += prefix.size
            yield Window(at, after, kept)
        at = after


def stretches(found: Iterable[Window], least_bytes: int) -> Iterator[tuple[Place, Place]]:
    """Yield where stretches of whole windows begin and end, each of `least_bytes` or the last."""
    first = last = None
    for window in found:
        first = first or window.at
        last = window.after
        if last.offset - first.offset >= least_bytes:
            yield first, last
            first = None
    if first is not None and last is not None:
        yield first, last


def _one_by_one(
    buffer: "_Buffer", form: RecordFormat, size: int, at: Place
) -> tuple[list[bytes | Broken], Place]:
    """Cut records until about `size` bytes are used up."""
    records: list[bytes | Broken] = []
    offset, line = at.offset, at.line
    stop = buffer.start + size
    while buffer.start < stop and buffer.holds(form.limit + 2):
        data, start = buffer.data, buffer.start
        cut = form.cut(data, start, is_end=buffer.is_end)
        content = data[start : cut.end]
        records.append(content if cut.reason is None else Broken(content[: form.limit], cut.reason))
        if cut.next is None:
            offset += buffer.skip_line()
            line += 1
            break
        offset += cut.next - start
        line += data.count(b"\n", start, cut.next)
        buffer.start = cut.next
    return records, Place(offset, at.row + len(records), line)


class _Buffer:
    """What has been read and not yet used: `data` from `start` on; `is_end`: no more will come."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self.data = b""
        self.start = 0
        self.is_end = False

    def fill(self, wanted: int) -> bool:
        """Read until `wanted` bytes are there, or all; False if there is none left."""
        size = len(self.data) - self.start
        if size >= wanted or self.is_end:
            return size > 0
        pieces = [self.data[self.start :]]
        while size < wanted and not self.is_end:
            piece = next(self._source, None)
            if piece is None:
                self.is_end = True
            else:
                pieces.append(piece)
                size += len(piece)
        self.data, self.start = b"".join(pieces), 0
        return size > 0

    def holds(self, wanted: int) -> bool:
        """Tell whether so many bytes are there, or all that are left and at least one."""
        size = len(self.data) - self.start
        return size >= wanted or (self.is_end and size > 0)

    def skip_line(self) -> int:
        """Drop all up to the next line end, which is not there yet; return how many bytes."""
        skipped = len(self.data) - self.start
        self.data, self.start = b"", 0
        for piece in self._source:
            found = piece.find(b"\n") + 1
            if found:
                self.data = piece[found:]
                return skipped + found
            skipped += len(piece)
        self.is_end = True
        return skipped

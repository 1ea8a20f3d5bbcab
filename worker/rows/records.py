"""Where records of a text file end, one at a time and by the window.

A line ends with LF or CRLF; a CR elsewhere is part of the record.  `limit` is the most bytes that a
record may have, its line end not counted.
"""

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple, Protocol

STRAY = "a quote inside of a cell that does not begin with one"
AFTER = "text behind the quote that closes a cell"

_CR = ord("\r")
_FIRST, _LAST = itemgetter(0), itemgetter(-1)


class Cut(NamedTuple):
    """One record: `end` is where its content ends, `next` where the next record begins.

    `next` is None when that is beyond the data: it begins behind the next line end.  `reason` says
    why the record cannot be read, None when it can.
    """

    end: int
    next: int | None
    reason: str | None


class Prefix(NamedTuple):
    """Whole records at the beginning of some data: their size in bytes, and how many.

    `lines` are the line ends in them.
    """

    size: int
    rows: int
    lines: int


class RecordFormat(Protocol):
    """How records are told apart."""

    limit: int

    def prefix(self, window: bytes) -> Prefix | None:
        """Return the whole records that `window`, at most `limit` bytes, begins with.

        None where they must be cut one by one, since there is none or some might be broken.
        """

    def cut(self, data: bytes, start: int, *, is_end: bool) -> Cut:
        """Return the record that begins at `start`.

        `data` has `limit` + 2 bytes from there on, or else `is_end`: the file ends with it.
        """

    def split(self, window: bytes) -> Sequence[bytes]:
        """Return the records, without line ends, of a window that `prefix` took as a whole."""


class Lines:
    """A record a line, as of NDJSON, and of CSV without quotes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def prefix(self, window: bytes) -> Prefix | None:
        """Return all lines that are whole."""
        return _whole_lines(window)

    def cut(self, data: bytes, start: int, *, is_end: bool) -> Cut:
        """Return the line."""
        end, next_ = line_end(data, start, start, is_end=is_end)
        return Cut(end, next_, too_long(self.limit) if end - start > self.limit else None)

    def split(self, window: bytes) -> Sequence[bytes]:
        """Split at line ends."""
        return _without_cr(window[:-1].split(b"\n"))


class QuotedRecords:
    """CSV as RFC 4180 has it: a cell in quotes may hold line ends, delimiters, and quotes twice.

    A quote anywhere else makes the record broken; it ends with the line that this quote is in.  One
    that is opened and not closed within the limit must not swallow the file: the record is broken
    and ends with the line that it began in, and the next line is a record again.
    """

    def __init__(self, delimiter: bytes, quote: bytes, limit: int) -> None:
        self.limit = limit
        self._delimiter, self._quote = delimiter, quote
        separator, mark = re.escape(delimiter), re.escape(quote)
        cell = (
            rb"(?:%(mark)b(?:[^%(mark)b]++|%(mark)b%(mark)b)*+%(mark)b"
            rb"|[^%(mark)b%(separator)b\n]*+)"
        ) % {b"mark": mark, b"separator": separator}
        cells = rb"%b(?:%b%b)*+" % (cell, separator, cell)
        self._cells = re.compile(cells)
        self._record = re.compile(cells + rb"(?:\r?\n|\Z)")
        self._borders = frozenset(delimiter + b"\n")

    def prefix(self, window: bytes) -> Prefix | None:
        """Return all records that are whole, if every quote is where it may be.

        Between quotes, text is by turns outside of cells in quotes and inside.  What is outside
        must begin and end where a cell does, or be empty: two quotes that stand for one.
        """
        parts = window.split(self._quote)
        if len(parts) == 1:
            return _whole_lines(window)
        last = (len(parts) - 1) // 2 * 2
        while last >= 0 and b"\n" not in parts[last]:
            last -= 2
        if last < 0:
            return None
        ended = parts[last].rfind(b"\n") + 1
        rest = parts[last + 1 :]
        size = len(window) - sum(map(len, rest)) - len(rest) - len(parts[last]) + ended
        parts[last] = parts[last][:ended]
        outside = parts[: last + 1 : 2]
        if last:
            # a loop in C over bytes as numbers: half of the time of a comprehension over slices
            begins = set(map(_FIRST, filter(None, outside[1:])))
            if _CR in begins:
                if any(part[:1] == b"\r" and part[:2] != b"\r\n" for part in outside[1:]):
                    return None
                begins.discard(_CR)
            if not begins.union(map(_LAST, filter(None, outside[:-1]))) <= self._borders:
                return None
        rows = b"".join(outside).count(b"\n")
        return Prefix(size, rows, window.count(b"\n", 0, size))

    def cut(self, data: bytes, start: int, *, is_end: bool) -> Cut:
        """Return the record by the whole grammar."""
        seen = min(len(data), start + self.limit + 2)
        match = self._record.match(data, start, seen)
        if match is not None:
            end = behind = match.end()
            if data[end - 1 : end] == b"\n" and end > start:
                end -= 2 if data[max(start, end - 2) : end - 1] == b"\r" else 1
            if end - start <= self.limit:
                return Cut(end, behind, None)
            return self._first_line(data, start, too_long(self.limit), is_end=is_end)
        cells = self._cells.match(data, start, seen)
        at = start if cells is None else cells.end()
        before = data[at - 1 : at] if at > start else self._delimiter
        if at - start > self.limit:
            return self._first_line(data, start, too_long(self.limit), is_end=is_end)
        if data[at : at + 1] == self._quote and before == self._delimiter:
            return self._first_line(data, start, not_closed(self.limit), is_end=is_end)
        end, next_ = line_end(data, start, at, is_end=is_end)
        return Cut(end, next_, AFTER if before == self._quote else STRAY)

    def split(self, window: bytes) -> Sequence[bytes]:
        """Join lines again that lie in one record: those with an odd number of quotes."""
        lines = window[:-1].split(b"\n")
        if self._quote not in window:
            return _without_cr(lines)
        records: list[bytes] = []
        held: list[bytes] = []
        for line in lines:
            is_odd = line.count(self._quote) % 2
            if held:
                held.append(line)
                if is_odd:
                    records.append(b"\n".join(held))
                    held = []
            elif is_odd:
                held = [line]
            else:
                records.append(line)
        return _without_cr(records)

    def _first_line(self, data: bytes, start: int, reason: str, *, is_end: bool) -> Cut:
        end, next_ = line_end(data, start, start, is_end=is_end)
        return Cut(end, next_, reason)


def _whole_lines(window: bytes) -> Prefix | None:
    size = window.rfind(b"\n") + 1
    lines = window.count(b"\n")
    return Prefix(size, lines, lines) if size else None


def line_end(data: bytes, start: int, at: int, *, is_end: bool) -> tuple[int, int | None]:
    """Return where the content of the line with `at` in it ends, and where the next one begins."""
    found = data.find(b"\n", at)
    if found < 0:
        return len(data), len(data) if is_end else None
    return found - (data[max(start, found - 1) : found] == b"\r"), found + 1


def too_long(limit: int) -> str:
    """Return the reason for a record that is longer than it may be."""
    return f"longer than {limit} bytes"


def not_closed(limit: int) -> str:
    """Return the reason for a quote that is never closed."""
    return f"a quote that is opened is not closed within {limit} bytes, or the file"


def _without_cr(records: list[bytes]) -> list[bytes]:
    return [record[:-1] if record[-1:] == b"\r" else record for record in records]

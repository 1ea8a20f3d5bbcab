"""CSV read a byte at a time, by the grammar as it is written down, to compare with."""

from collections.abc import Iterator
from typing import NamedTuple


class Record(NamedTuple):
    """One record of a file: where it begins, in which line, its content, its cells if it has any.

    `cells` are (text, whether it was in quotes); None: the record is broken.
    """

    start: int
    line: int
    content: bytes
    cells: list[tuple[bytes, bool]] | None


def read(data: bytes, delimiter: bytes, quote: bytes | None, limit: int) -> Iterator[Record]:
    """Yield all records."""
    at, line = 0, 1
    while at < len(data):
        content, next_, cells = _record(data, at, delimiter, quote, limit)
        yield Record(at, line, content, cells)
        line += data[at:next_].count(b"\n")
        at = next_


def _record(
    data: bytes, start: int, delimiter: bytes, quote: bytes | None, limit: int
) -> tuple[bytes, int, list[tuple[bytes, bool]] | None]:
    cells: list[tuple[bytes, bool]] = []
    state, cell, was_quoted, at = "begin", bytearray(), False, start
    while True:
        char = data[at : at + 1]
        if state == "inside":
            if not char:
                return *_line(data, start, start), None
            if char == quote:
                state = "closed"
            else:
                cell += char
        elif char == quote and state == "begin":
            state, was_quoted = "inside", True
        elif char == quote and state == "closed":
            cell += char
            state = "inside"
        elif char == delimiter or _ends_line(data, at) is not None:
            cells.append((bytes(cell), was_quoted))
            if char != delimiter:
                if at - start > limit:
                    return *_line(data, start, start), None
                return data[start:at], at + len(_ends_line(data, at) or b""), cells
            state, cell, was_quoted = "begin", bytearray(), False
        elif state == "closed" or char == quote:
            where = at if at - start <= limit else start
            return *_line(data, start, where), None
        else:
            cell += char
            state = "bare"
        at += 1


def _ends_line(data: bytes, at: int) -> bytes | None:
    for end in (b"\r\n", b"\n"):
        if data.startswith(end, at):
            return end
    return b"" if at == len(data) else None


def _line(data: bytes, start: int, at: int) -> tuple[bytes, int]:
    """Return the content of a record that ends with the line that has `at` in it."""
    found = data.find(b"\n", at)
    if found < 0:
        return data[start:], len(data)
    end = found - 1 if found > start and data[found - 1 : found] == b"\r" else found
    return data[start:end], found + 1

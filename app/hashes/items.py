"""Items of a batch, cut out of a stream of pieces: lines of NDJSON, elements of a JSON array."""

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from app.problem_types import MALFORMED_JSON
from app.problems import Problem

# what decides where an element of an array ends: strings as wholes, brackets, commas
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_SPACE = b" \t\r\n"


# an item, or None: more is not there yet, so that answers so far can be sent
Item: TypeAlias = bytes | None


class ItemTooLarge(Exception):
    """An item is larger than it may be; nothing after it is read."""


def lines(pieces: Iterable[bytes], max_bytes: int) -> Iterator[Item]:
    """Yield the lines that hold something; the last one may lack its end.  Raises ItemTooLarge."""
    rest = b""
    for piece in pieces:
        found = piece.split(b"\n")
        found[0] = rest + found[0]
        rest = found.pop()
        for line in found:
            if len(line) > max_bytes:
                raise ItemTooLarge
            if not line.isspace() and line:
                yield line
        if len(rest) > max_bytes:
            raise ItemTooLarge
        yield None
    if rest and not rest.isspace():
        yield rest


def elements(pieces: Iterable[bytes], max_bytes: int) -> Iterator[Item]:
    """Yield the elements of a JSON array, each as it is written, not checked itself.

    Raises ItemTooLarge, and Problem (400) when the array's own form is broken: then nothing after
    it can be told apart any more.
    """
    scanner = _ArrayScanner(max_bytes)
    for piece in pieces:
        yield from scanner.feed(piece)
        yield None
    scanner.end()


class _ArrayScanner:
    """Finds the ends of elements; keeps no more than the element that is not complete."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = b""
        self._scanned = 0  # before this, the buffer holds no end of an element
        self._depth = 0  # 0: before the array; 1: in it; more: within an element
        self._after_comma = False
        self._ended = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self._buffer += piece
        if self._ended or (self._depth == 0 and not self._begin()):
            self._nothing_after()
            return
        start = 0
        position = self._scanned
        while token := _TOKEN.search(self._buffer, position):
            unfinished = self._buffer.find(b'"', position, token.start())
            if unfinished >= 0:  # a string whose end has not come; what is in it decides nothing
                position = unfinished
                break
            position = token.end()
            mark = self._buffer[token.start() : position]
            if mark in (b"[", b"{"):
                self._depth += 1
            elif mark in (b"]", b"}"):
                self._depth -= 1
            if (self._depth == 1 and mark == b",") or self._depth == 0:
                element = self._buffer[start : token.start()].strip(_SPACE)
                if element or mark == b"," or self._after_comma:
                    yield self._whole(element)
                self._after_comma = mark == b","
                start = position
                if self._depth == 0:
                    if mark != b"]":
                        raise Problem(MALFORMED_JSON, "The JSON array is closed by a brace.")
                    self._ended = True
                    break
        else:
            opened = self._buffer.find(b'"', position)
            position = opened if opened >= 0 else len(self._buffer)
        self._buffer = self._buffer[start:]
        self._scanned = position - start
        if self._ended:
            self._nothing_after()
        elif len(self._buffer) > self._max_bytes:
            raise ItemTooLarge

    def end(self) -> None:
        if not self._ended:
            raise Problem(MALFORMED_JSON, "The JSON array ends early: its ] is missing.")

    def _begin(self) -> bool:
        self._buffer = self._buffer.lstrip(_SPACE)
        if not self._buffer:
            return False
        if not self._buffer.startswith(b"["):
            raise Problem(MALFORMED_JSON, "The body is not a JSON array. Send [ITEM, …].")
        self._buffer = self._buffer[1:]
        self._depth = 1
        return True

    def _whole(self, element: bytes) -> bytes:
        if len(element) > self._max_bytes:
            raise ItemTooLarge
        if not element:
            raise Problem(MALFORMED_JSON, "The JSON array has a comma with nothing beside it.")
        return element

    def _nothing_after(self) -> None:
        if self._ended and self._buffer.strip(_SPACE):
            raise Problem(MALFORMED_JSON, "Something follows the JSON array's end.")
        if self._ended:
            self._buffer = b""

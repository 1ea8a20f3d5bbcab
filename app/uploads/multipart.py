"""multipart/form-data (RFC 7578, RFC 2046 section 5.1), read as it comes, in constant memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from werkzeug.http import parse_options_header

from app.problem_types import BAD_REQUEST
from app.problems import Problem

MAX_PARTS = 64
MAX_HEADER_BYTES = 8192
# white space that gateways may put behind a boundary
MAX_PADDING_BYTES = 256

_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Part:
    """One field of a form: a file where it has a `filename`.

    `pieces` are its bytes; they can be taken only until the next part is asked for.
    """

    name: str
    filename: str | None
    content_type: str | None
    pieces: Iterator[bytes]


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names.  Raises Problem (400)."""
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not 1 <= len(boundary) <= 70 or not boundary.isascii() or not boundary.isprintable():
        raise _malformed("Content-Type names no boundary of 1 to 70 characters")
    return boundary.encode()


def read_multipart(pieces: Iterable[bytes], boundary: bytes) -> Iterator[Part]:
    """Yield the parts of a body in their order; what is not taken of one is passed over.

    Raises Problem (400) when the body is malformed, cut off, has more than MAX_PARTS parts, or a
    head of more than MAX_HEADER_BYTES; and what the pieces raise.
    """
    body = _Body(pieces)
    delimiter = b"\r\n--" + boundary
    for _ in body.until(delimiter):
        pass  # the preamble, which is nobody's
    for number in range(1, MAX_PARTS + 2):
        if body.begins_with(b"--"):
            body.drain()
            return
        if body.line(MAX_PADDING_BYTES, "the line of a boundary").strip(b" \t"):
            raise _malformed("a part has a line that begins with the boundary")
        if number > MAX_PARTS:
            raise _malformed(f"it has more than {MAX_PARTS} parts")
        name, filename, content_type = _head(body)
        content = body.until(delimiter)
        yield Part(name, filename, content_type, content)
        for _ in content:
            pass


def _head(body: "_Body") -> tuple[str, str | None, str | None]:
    fields: dict[str, str] = {}
    text = body.head(MAX_HEADER_BYTES)
    for line in text.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise _malformed("a part's head has a line without a colon")
        fields[name.strip().lower()] = value.strip()
    disposition, options = parse_options_header(fields.get("content-disposition", ""))
    if disposition != "form-data" or "name" not in options:
        raise _malformed("a part has no Content-Disposition: form-data with a name")
    return options["name"], options.get("filename"), fields.get("content-type")


class _Body:
    """What has come and not been read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        # as if before the first boundary a line had ended
        self._buffer = bytearray(_LINE_END)

    def until(self, delimiter: bytes) -> Iterator[bytes]:
        """Yield what comes before the delimiter, and take that too."""
        while (found := self._buffer.find(delimiter)) < 0:
            # its beginning may have come
            whole = len(self._buffer) - len(delimiter) + 1
            if whole > 0:
                yield self._take(whole)
            self._more()
        if found:
            yield self._take(found)
        del self._buffer[: len(delimiter)]

    def begins_with(self, text: bytes) -> bool:
        """Tell whether the text comes next; take it then."""
        while len(self._buffer) < len(text):
            self._more()
        if not self._buffer.startswith(text):
            return False
        del self._buffer[: len(text)]
        return True

    def line(self, most: int, what: str) -> bytes:
        """Take a line, and return it without its end."""
        return self._before(_LINE_END, most, what)

    def head(self, most: int) -> str:
        """Take a part's head, and return it without its end."""
        try:
            return self._before(_HEAD_END, most, "a part's head").decode()
        except UnicodeDecodeError as error:
            raise _malformed("a part's head is not UTF-8") from error

    def drain(self) -> None:
        """Pass over the rest."""
        for _ in self._pieces:
            pass

    def _before(self, end: bytes, most: int, what: str) -> bytes:
        while (found := self._buffer.find(end, 0, most + len(end))) < 0:
            if len(self._buffer) >= most + len(end):
                raise _malformed(f"{what} has more than {most} bytes")
            self._more()
        text = self._take(found)
        del self._buffer[: len(end)]
        return text

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise _malformed("it ends before its last boundary")
        self._buffer += piece

    def _take(self, size: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken


def _malformed(reason: str) -> Problem:
    return Problem(
        BAD_REQUEST, f"The body is no multipart/form-data: {reason}. Write it as RFC 7578 does."
    )

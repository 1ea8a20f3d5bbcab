"""Takes a chunked body apart (RFC 9112 section 7.1), strictly and in bounded memory."""

import re

from lb.wire.head import BadField, Field, is_malformed, split_fields

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
# each way to go on begins with another character, so that giving back finds nothing; it would be
# forbidden by `)*+`, which Python matches wrongly before 3.11.5
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\t \x21-\x7e\x80-\xff])*"'
_EXTENSIONS = rb"((?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*)"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})" + _EXTENSIONS + rb"\r\n")
_BEGUN_SIZE_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}(?:;[\t\x20-\x7e\x80-\xff]*+)?\r?|")
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"host", b"trailer"))


class BadChunk(Exception):
    """The body breaks a rule of chunked coding; says which."""


class Chunks:
    """Incremental: feed() bytes; `parts` are pieces of the body that nobody has taken yet.

    Extensions are vetted and dropped, and trailers vetted.  `allowance`: bytes that they may have
    in the whole body; without a bound they would be a body without a limit.
    """

    __slots__ = ("_allowance", "_in_trailers", "_left", "_rest", "complete", "parts", "trailers")

    def __init__(self, allowance: int) -> None:
        self._allowance = allowance
        self._rest = b""
        self._left = 0  # of this chunk, with the CRLF that ends it
        self._in_trailers = False
        self.parts: list[bytes] = []
        self.trailers: list[Field] = []
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes; return those after the end of the body.  Raises BadChunk."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        position = 0
        while position < len(data):
            if self._in_trailers:
                return self._trailers(data[position:])
            if self._left:
                end = position + self._left
                if self._left > 2:
                    self.parts.append(data[position : end - 2])
                ending = data[max(position, end - 2) : end]
                if not b"\r\n".endswith(ending) if len(data) >= end else ending not in {b"", b"\r"}:
                    raise BadChunk("A chunk is longer than its size says")
                self._left = max(0, end - len(data))
                position = end
            else:
                line = _SIZE_LINE.match(data, position)
                if line is None:
                    return self._keep(data[position:])
                self._spend(len(line[2]))
                position = line.end()
                size = int(line[1], 16)
                self._left = size + 2 if size else 0
                self._in_trailers = not size
        return b""

    def _spend(self, size: int) -> None:
        self._allowance -= size
        self._check(0)

    def _check(self, size: int) -> None:
        if size > self._allowance:
            raise BadChunk("Chunk extensions and trailers are larger than the header limit")

    def _keep(self, begun: bytes) -> bytes:
        """Keep a size line that isn't complete."""
        if _BEGUN_SIZE_LINE.fullmatch(begun) is None:
            raise BadChunk("A chunk's size or extension is not valid")
        self._check(len(begun) - 18)  # as long as a size and CRLF may be
        self._rest = begun
        return b""

    def _trailers(self, data: bytes) -> bytes:
        if data.startswith(b"\r\n"):
            self.complete = True
            return data[2:]
        end = data.find(b"\r\n\r\n")
        section = data if end < 0 else data[: end + 2]
        self._check(len(section) - 2)
        if end < 0:
            if is_malformed(section):
                raise BadChunk("A trailer is not valid")
            self._rest = data
            return b""
        try:
            self.trailers = split_fields(section[:-2].split(b"\r\n"), len(section))
        except BadField:
            raise BadChunk("A trailer is not valid") from None
        if any(trailer.name in _FRAMING for trailer in self.trailers):
            raise BadChunk("A trailer says what only a head may")
        self.complete = True
        return data[end + 4 :]

"""Reads a backend's bytes into one response after the other."""

from lb.wire.chunks import BadChunk, Chunks
from lb.wire.head import is_malformed
from lb.wire.response import BadResponse, ResponseHead, interim, passed_trailers, to_head, vet


class ResponseReader:
    """Incremental: expect() a response, feed() bytes, then look at the attributes.

    `head` is None until the final response's head is complete; `parts` are pieces of the body
    that nobody has taken yet; `interims` are 1xx responses to pass on; `complete` tells the end,
    except where only the connection's end tells it.  `trailers`: lines to pass on behind the last
    chunk.  `reusable`: another request may follow.
    """

    __slots__ = (
        "_begun", "_chunks", "_left", "_max_head", "_to_head",
        "complete", "head", "interims", "parts", "reusable", "trailers",
    )  # fmt: skip

    def __init__(self, *, max_head: int) -> None:
        self._max_head = max_head
        self._begun = b""
        self._chunks: Chunks | None = None
        self._left = 0
        self._to_head = False
        self.head: ResponseHead | None = None
        self.parts: list[bytes] = []
        self.interims = b""
        self.trailers = b""
        self.complete = False
        self.reusable = False

    def expect(self, *, to_head: bool) -> None:
        """Prepare for the next response on this connection."""
        self._to_head = to_head
        self.head = None
        self.trailers = b""
        self.complete = False

    def feed(self, data: bytes) -> None:
        """Take what the backend sent.  Raises BadResponse; the connection is then unusable."""
        if self.complete:
            raise BadResponse("bytes after the end of the response")
        if self.head is None:
            if not self._begun and self._take_whole(data):
                return
            if self._begun:
                data, self._begun = self._begun + data, b""
            while self.head is None:
                end = data.find(b"\r\n\r\n") + 4
                if end < 4:
                    self._keep(data)
                    return
                head = self._vet(data[:end])
                data = data[end:]
                if head.status < 200:
                    self._take_interim(head)
                else:
                    self._begin(head)
        self._take_body(data)

    def _take_whole(self, data: bytes) -> bool:
        """Take a whole response of known length at once: the short way for most."""
        end = data.find(b"\r\n\r\n") + 4
        if not 4 <= end <= self._max_head or self._to_head:
            return False
        head = vet(data[:end])
        if head.framing != "length" or head.content_length != len(data) - end:
            return False
        self.head = head
        self.reusable = head.keep_alive
        self.complete = True
        self.parts = [data[end:]]
        return True

    def _vet(self, raw: bytes) -> ResponseHead:
        if len(raw) > self._max_head:
            raise BadResponse("the head is larger than the header limit")
        return vet(raw)

    def _keep(self, data: bytes) -> None:
        if len(data) > self._max_head:
            raise BadResponse("the head is larger than the header limit")
        if not b"HTTP/1.".startswith(data[:7]) or is_malformed(data):
            raise BadResponse("this is no HTTP/1.1")
        self._begun = data

    def _take_interim(self, head: ResponseHead) -> None:
        if head.status == 101:
            raise BadResponse("101 without a request for it")
        if head.status != 100:  # the client has had its 100 from us
            self.interims += interim(head)
            if len(self.interims) > self._max_head:
                raise BadResponse("interim responses are larger than the header limit")

    def _begin(self, head: ResponseHead) -> None:
        """Prepare for the body."""
        if self._to_head:
            head = to_head(head)
        self.head = head
        self.reusable = head.keep_alive and head.framing != "close"
        if head.framing == "length":
            self._left = head.content_length or 0
            self.complete = not self._left
        elif head.framing == "chunked":
            self._chunks = Chunks(self._max_head)
        else:
            self.complete = head.framing == "none"

    def _take_body(self, data: bytes) -> None:
        chunks = self._chunks
        if chunks is not None:
            try:
                data = chunks.feed(data)
            except BadChunk as error:
                raise BadResponse(str(error)) from error
            self.parts += chunks.parts
            chunks.parts.clear()
            if chunks.complete:
                self.trailers = passed_trailers(chunks.trailers)
                self._chunks = None
                self.complete = True
        elif not self.complete and self.head is not None:
            if self.head.framing == "length":
                size = min(len(data), self._left)
                self._left -= size
                part, data = (data, b"") if size == len(data) else (data[:size], data[size:])
                self.complete = not self._left
            else:
                part, data = data, b""
            if part:
                self.parts.append(part)
        if data:
            # The response itself is whole; the bytes after it must not become the next one's.
            self.reusable = False

"""Reads a backend's bytes into one response after the other."""

from httptools import HttpParserError, HttpParserUpgrade
from httptools import HttpResponseParser as Parser

from lb.wire.fields import Fields
from lb.wire.response import BadResponse, ResponseHead, interim, vet


class ResponseReader:
    """Incremental: expect() a response, feed() bytes, then look at the attributes.

    `head` is None until the final response's head is complete; `parts` are pieces of the body
    that nobody has taken yet; `interims` are 1xx responses to pass on; `complete` tells the end,
    except where only the connection's end tells it.
    """

    __slots__ = (
        "_fields", "_head_bytes", "_max_head", "_parser", "_skip_message", "_to_head",
        "complete", "head", "interims", "parts",
    )  # fmt: skip

    def __init__(self, *, max_head: int) -> None:
        self._max_head = max_head
        self._parser = Parser(self)
        self._fields: Fields = []
        self._head_bytes = 0
        self._skip_message = False
        self._to_head = False
        self.head: ResponseHead | None = None
        self.parts: list[bytes] = []
        self.interims = b""
        self.complete = False

    def expect(self, *, to_head: bool) -> None:
        """Prepare for the next response on this connection."""
        if self._to_head:
            # The parser does not know that a response to HEAD has no body, and waits for it.
            self._parser = Parser(self)
            self._fields = []
        self._to_head = to_head
        self._head_bytes = 0
        self.head = None
        self.complete = False

    def feed(self, data: bytes) -> None:
        """Take what the backend sent.  Raises BadResponse; the connection is then unusable."""
        if self.complete:
            raise BadResponse("bytes after the end of the response")
        if self.head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(error)
        if self.head is None and self._head_bytes > self._max_head:
            raise BadResponse("the head is larger than the header limit")

    def _fail(self, error: Exception) -> None:
        if self.head is None or not self.complete:
            raise BadResponse(str(error.__context__ or error)) from error
        # The response itself is whole; the bytes after it must not become the next one's.
        self.head.keep_alive = False

    # ---- called by the parser; an exception here stops it

    def on_message_begin(self) -> None:
        """Refuse a second response to one request."""
        if self.complete:
            raise BadResponse("bytes after the end of the response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; trailers are dropped."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Vet the head."""
        fields, self._fields = self._fields, []
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            if status == 101:
                raise BadResponse("101 without a request for it")
            self._skip_message = True
            if status != 100:  # the client has had its 100 from us
                self.interims += interim(status, fields)
            return
        self.head = vet(status, fields, self._parser.get_http_version(), to_head=self._to_head)
        if self._to_head:
            self.complete = True

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        if self._to_head:
            raise BadResponse("a body in the answer to HEAD")
        self.parts.append(part)

    def on_message_complete(self) -> None:
        """Mark the response as complete."""
        self._fields = []
        if self._skip_message:
            self._skip_message = False
        else:
            self.complete = True

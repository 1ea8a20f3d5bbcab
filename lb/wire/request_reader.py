"""Reads a client's bytes into requests, strictly, with limits on every size."""

from collections import deque

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade
from httptools import HttpRequestParser as Parser

from lb.wire.fields import Fields
from lb.wire.problem import Problem, bad_request
from lb.wire.request import Request, body_too_large, vet

_CHUNK_OVERHEAD = 16  # size in hex, two CRLF, and some zeroes that a sender may pad with

# how the parser names a request line that ends in another version or protocol, or in none
_WRONG_VERSION = ("Invalid HTTP version", "Expected HTTP/", "Pause on PRI")


class RequestReader:
    """Incremental: feed() bytes, then look at `requests` and `refusal`.

    `requests` holds the requests whose heads are complete, oldest first; bodies of the newest go
    on arriving.  `refusal` is set when the bytes after them are not acceptable; nothing may be
    fed from then on.
    """

    __slots__ = (
        "_chunks", "_fields", "_head_bytes", "_max_body", "_max_head", "_max_line", "_newest",
        "_parser", "_raw_body", "_target", "refusal", "requests",
    )  # fmt: skip

    def __init__(self, *, max_line: int, max_head: int, max_body: int) -> None:
        self._max_line = max_line
        self._max_head = max_head
        self._max_body = max_body
        self._parser = Parser(self)
        self._target = b""
        self._fields: Fields = []
        self._head_bytes = 0
        self._newest: Request | None = None
        self._raw_body = 0
        self._chunks = 0
        self.requests: deque[Request] = deque()
        self.refusal: Problem | None = None

    @property
    def is_between_requests(self) -> bool:
        """True when no byte of a next request has come."""
        return self._head_bytes == 0 and (self._newest is None or self._newest.complete)

    def feed(self, data: bytes) -> None:
        """Take what the client sent; after a refusal or a last request the rest is ignored."""
        while data and self.refusal is None:
            newest = self._newest
            if newest is None or newest.complete:
                if newest is not None and not newest.keep_alive:
                    return
                self._head_bytes += len(data)
            elif newest.chunked:
                self._raw_body += len(data)
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                # An offer to switch protocols may be ignored (RFC 9110 section 7.8), and clients
                # make it by default; the parser stops after such a head, so it is fed the rest.
                data = data[upgrade.args[0] :]
                continue
            except HttpParserError as error:
                self._refuse(error)
            data = b""
        newest = self._newest
        if self._head_bytes > self._max_line or (newest is not None and newest.chunked):
            self._check_sizes()

    def _refuse(self, error: HttpParserError) -> None:
        if self.refusal is not None or self._is_after_last():
            return
        if isinstance(error, HttpParserInvalidMethodError):
            detail = "The method is unknown, or this is not HTTP. Send a method of RFC 9110."
        elif str(error).startswith(_WRONG_VERSION):
            self.refusal = Problem(
                505, "version-not-supported", "This version of HTTP is not spoken here",
                "The request line does not end in HTTP/1.1. Send HTTP/1.1.",
            )  # fmt: skip
            return
        else:
            detail = f"{error}. Correct the request; nothing of it was passed on unread."
        self.refusal = bad_request(detail)

    def _is_after_last(self) -> bool:
        newest = self._newest
        return newest is not None and newest.complete and not newest.keep_alive

    def _check_sizes(self) -> None:
        if self.refusal is not None:
            return
        if self._head_bytes > self._max_line:
            if len(self._target) > self._max_line:
                self.refusal = self._line_too_long()
            elif self._head_bytes > self._max_head:
                self.refusal = self._head_too_large()
        elif (newest := self._newest) is not None and newest.chunked:
            # Extensions and trailers are read and dropped; without a bound they would be a body
            # without a limit.
            allowance = newest.received + _CHUNK_OVERHEAD * self._chunks + self._max_head
            if not newest.complete and self._raw_body > allowance:
                self.refusal = bad_request(
                    "Chunk extensions and trailers are larger than the header limit. Drop them."
                )

    def _line_too_long(self) -> Problem:
        return Problem(
            414, "target-too-long", "The request line is too long",
            f"A target may have {self._max_line} bytes (MILLRACE_LB_MAX_REQUEST_LINE_BYTES). "
            "Send what is long in the body.",
        )  # fmt: skip

    def _head_too_large(self) -> Problem:
        return Problem(
            431, "headers-too-large", "The header fields are too large",
            f"The head may have {self._max_head} bytes (MILLRACE_LB_MAX_HEADER_BYTES). "
            "Send fewer or shorter fields; cookies are the usual cause.",
        )  # fmt: skip

    # ---- called by the parser; an exception here stops it

    def on_url(self, part: bytes) -> None:
        """Take a part of the target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; trailers are dropped."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Vet the head."""
        parser = self._parser
        fields, self._fields = self._fields, []
        target, self._target = self._target, b""
        try:
            if self._head_bytes > self._max_line:
                self._check_head(target, fields)
            request = vet(
                parser.get_method(), target, fields, parser.get_http_version(), self._max_body
            )
            if parser.should_upgrade() and (request.chunked or request.content_length):
                raise Problem(
                    501, "upgrade-not-implemented", "Protocol switches are not offered",
                    "A request with a body asks for Upgrade. Send it without Upgrade.",
                )  # fmt: skip
        except Problem as problem:
            self.refusal = problem
            raise
        self._newest = request
        self._head_bytes = self._raw_body = self._chunks = 0
        self.requests.append(request)

    def _check_head(self, target: bytes, fields: Fields) -> None:
        # One read may hold more than one head, so what counts here is this head's own size.
        if len(target) > self._max_line:
            raise self._line_too_long()
        size = len(target) + sum(len(name) + len(value) + 4 for name, value in fields)
        if size > self._max_head:
            raise self._head_too_large()

    def on_chunk_header(self) -> None:
        """Count chunks."""
        self._chunks += 1

    def on_body(self, part: bytes) -> None:
        """Take a part of the newest request's body."""
        request = self._newest
        if request is None:
            raise AssertionError("a body before a head")
        request.received += len(part)
        if request.received > self._max_body:
            self.refusal = body_too_large(self._max_body)
            raise self.refusal
        request.parts.append(part)

    def on_message_complete(self) -> None:
        """Mark the newest request as complete."""
        if self._newest is not None:
            self._newest.complete = True
        self._fields = []

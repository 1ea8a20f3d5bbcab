"""Reads a client's bytes into requests, strictly, with limits on every size."""

from collections import deque
from collections.abc import Callable

from lb.wire.chunks import BadChunk, Chunks
from lb.wire.head import REMEMBERED_BYTES, is_malformed
from lb.wire.problem import Problem, bad_request
from lb.wire.request import Request
from lb.wire.request_head import RequestHead, vet
from lb.wire.request_line import refusal_of_line

_CONTROLS = "The head holds a control character, or CR or LF alone. Correct it."


class RequestReader:
    """Incremental: feed() bytes, then look at `requests` and `refusal`.

    `requests` holds the requests whose heads are complete, oldest first; bodies of the newest go
    on arriving.  `refusal` is set when the bytes after them are not acceptable; what is fed from
    then on is ignored.  Targets that `streams` may have bodies above `max_body`.
    """

    __slots__ = (
        "_begun", "_chunks", "_ended", "_max_body", "_max_head", "_max_line", "_max_short",
        "_newest", "_streams", "refusal", "requests",
    )  # fmt: skip

    def __init__(
        self,
        *,
        max_line: int,
        max_head: int,
        max_body: int,
        streams: Callable[[bytes], bool] = lambda _target: False,
    ) -> None:
        self._streams = streams
        self._max_line = max_line
        self._max_head = max_head
        self._max_body = max_body
        self._max_short = min(max_line, REMEMBERED_BYTES)
        self._begun = b""  # a head that is not complete
        self._newest: Request | None = None  # its body is arriving
        self._chunks: Chunks | None = None
        self._ended = False
        self.requests: deque[Request] = deque()
        self.refusal: Problem | None = None

    @property
    def is_between_requests(self) -> bool:
        """True when no byte of a next request has come."""
        return not self._begun and self._newest is None

    def whole(self, data: bytes) -> Request | None:
        """Return the request if `data` is just one, without a body, and others may follow.

        This is the short way for most; None: feed() it.
        """
        if (
            self._begun
            or self._newest is not None
            or len(data) > self._max_short
            or data.find(b"\r\n\r\n") + 4 != len(data)
        ):
            return None
        try:
            head = vet(data)
        except Problem:
            return None
        request = Request(head)
        return request if request.complete and head.keep_alive else None

    def feed(self, data: bytes) -> None:
        """Take what the client sent; after a refusal or a last request the rest is ignored."""
        try:
            while data and self.refusal is None and not self._ended:
                data = self._take_head(data) if self._newest is None else self._take_body(data)
        except Problem as problem:
            self.refusal = problem
        except BadChunk as error:
            self.refusal = bad_request(
                f"{error}. Correct the request; nothing of it was passed on unread."
            )

    def _take_head(self, data: bytes) -> bytes:
        """Take a head or a part of it; return what is left."""
        begun = self._begun
        if begun:
            data = begun + data
        while data.startswith(b"\r\n"):  # RFC 9112 section 2.2: some send one after a body
            data = data[2:]
        end = data.find(b"\r\n\r\n", max(0, len(begun) - 3)) + 4
        if end < 4:
            self._keep(data, len(begun))
            return b""
        self._begun = b""
        raw = data[:end]
        head = self._vet(raw)
        request = Request(head)
        self.requests.append(request)
        if not request.complete:
            self._newest = request
            self._chunks = Chunks(self._max_head) if head.chunked else None
        else:
            self._ended = not head.keep_alive
        return data[end:]

    def _vet(self, raw: bytes) -> RequestHead:
        self._check_size(raw)
        try:
            head = vet(raw)
        except Problem:
            if is_malformed(raw):  # the same refusal however the bytes were cut
                raise bad_request(_CONTROLS) from None
            raise
        if head.content_length > self._max_body and not self._streams(head.target):
            raise self._body_too_large()
        return head

    def _keep(self, data: bytes, looked_at: int) -> None:
        """Keep a head that isn't complete, unless it can be refused already."""
        self._check_size(data)
        if is_malformed(data, max(0, looked_at - 1)):
            raise bad_request(_CONTROLS)
        line, crlf, _ = data.partition(b"\r\n")
        refusal = refusal_of_line(line) if crlf else None
        if refusal is not None:
            raise refusal
        self._begun = data

    def _check_size(self, head: bytes) -> None:
        if len(head) <= self._max_line:
            return
        line_end = head.find(b"\r\n")
        target = head[: line_end if line_end >= 0 else len(head)].split(b" ", 2)
        if len(max(target[:2], key=len)) > self._max_line:
            raise Problem(
                414, "target-too-long", "The request line is too long",
                f"A target may have {self._max_line} bytes (MILLRACE_LB_MAX_REQUEST_LINE_BYTES). "
                "Send what is long in the body.",
            )  # fmt: skip
        if len(head) > self._max_head:
            raise Problem(
                431, "headers-too-large", "The header fields are too large",
                f"The head may have {self._max_head} bytes (MILLRACE_LB_MAX_HEADER_BYTES). "
                "Send fewer or shorter fields; cookies are the usual cause.",
            )  # fmt: skip

    def _take_body(self, data: bytes) -> bytes:
        """Take a part of the newest request's body; return what is left."""
        request, chunks = self._newest, self._chunks
        if request is None:
            return data
        if chunks is not None:
            data = chunks.feed(data)
            request.received += sum(map(len, chunks.parts))
            request.complete = chunks.complete
            request.parts += chunks.parts
            chunks.parts.clear()
            if request.received > self._max_body and not self._streams(request.head.target):
                request.complete = False
                raise self._body_too_large()
        else:
            left = request.head.content_length - request.received
            part, data = (data, b"") if len(data) <= left else (data[:left], data[left:])
            request.parts.append(part)
            request.received += len(part)
            request.complete = request.received == request.head.content_length
        if request.complete:
            self._newest = self._chunks = None
            self._ended = not request.head.keep_alive
        return data

    def _body_too_large(self) -> Problem:
        return Problem(
            413, "body-too-large", "The body is too large",
            f"A body may have {self._max_body} bytes (MILLRACE_LB_MAX_BODY_BYTES). "
            "Send less at once.",
        )  # fmt: skip

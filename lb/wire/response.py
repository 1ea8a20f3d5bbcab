"""From the bytes of a response head to what a client is sent."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from typing import Literal

from lb.wire.fields import HOP_BY_HOP, connection_options, joined
from lb.wire.head import REMEMBERED_BYTES, BadField, Field, split_fields

# how the end of a body is known
Framing = Literal["none", "length", "chunked", "close"]

_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*+)?")
_LENGTH = re.compile(rb"[0-9]{1,18}")

_STATUS_LINES = {
    status: b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode())
    for status, phrase in (
        dict.fromkeys(range(100, 1000), "") | {status.value: status.phrase for status in HTTPStatus}
    ).items()
}

# what a backend says that refuses a request unread, since it has too much to do
OVERLOADED = b"x-millrace-overloaded"
# what a backend says that is being stopped: it serves for moments yet
DRAINING = b"x-millrace-draining"
# the balancer gives these itself, or they are for it alone, or they belong to one connection
_OURS = HOP_BY_HOP | {b"content-length", b"x-request-id", OVERLOADED, DRAINING}
_NO_OPTIONS: frozenset[bytes] = frozenset()


class BadResponse(Exception):
    """A backend answered with what is not HTTP/1.1, or with contradictory framing."""


@dataclass(slots=True)
class ResponseHead:
    """A vetted response head.  It never changes once made: equal heads share one.

    `start` is the status line and the end-to-end fields, without framing and the empty line.
    `content_length` is kept where there is no body too (HEAD, 304).  `usual` is how most answers
    begin, those of known length to HTTP/1.1 on a connection that goes on; it ends where the
    request id is put.  `announced`: the Trailer fields of a body in chunks.
    `overloaded`: what a backend says that has refused the request unread, else empty.
    `draining`: it says that it is being stopped.
    """

    status: int
    start: bytes
    framing: Framing
    content_length: int | None
    keep_alive: bool
    usual: bytes | None
    announced: bytes = b""
    overloaded: bytes = b""
    draining: bool = False


def vet(raw: bytes) -> ResponseHead:
    """Return the head that `raw` is, to the empty line.

    Raises BadResponse when it is none, or when the body's end is not certain.  Remembered:
    within a second, answers often have equal heads.
    """
    return _remembered(raw) if len(raw) <= REMEMBERED_BYTES else _vet(raw)


def _vet(raw: bytes) -> ResponseHead:
    line, *lines = raw[:-4].split(b"\r\n")
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadResponse("the first line is no status line of HTTP/1.1")
    minor, status = match[1], int(match[2])
    try:
        fields = split_fields(lines, len(raw))
    except BadField:
        raise BadResponse("a header field is not valid") from None
    length: bytes | None = None
    encoding: bytes | None = None
    options = _NO_OPTIONS
    passed: list[Field] = []
    announced = overloaded = b""
    draining = False
    for field in fields:
        name = field.name
        if name not in _OURS:
            passed.append(field)
        elif name == b"content-length":
            length = field.value if length is None else b"repeated"
        elif name == b"transfer-encoding":
            encoding = field.value.lower() if encoding is None else b"repeated"
        elif name == b"connection":
            options |= connection_options(field.value)
        elif name == b"trailer":
            announced += field.line
        elif name == OVERLOADED:
            overloaded = field.value
        elif name == DRAINING:
            draining = True
    if length is not None and _LENGTH.fullmatch(length) is None:
        raise BadResponse("Content-Length is repeated, or no number")
    if encoding is not None and minor == b"0":
        raise BadResponse("Transfer-Encoding in HTTP/1.0")  # RFC 9112 section 6.1
    size = None if length is None else int(length)
    framing = _framing(status, size, encoding)
    start = _STATUS_LINES[status] + joined(passed, options)
    return ResponseHead(
        status,
        start,
        framing,
        None if status == 204 else size,
        b"close" not in options and (minor == b"1" or b"keep-alive" in options),
        None
        if framing != "length" or size is None
        else b"%bContent-Length: %d\r\nX-Request-ID: " % (start, size),
        announced if framing == "chunked" else b"",
        overloaded,
        draining,
    )


def passed_trailers(trailers: list[Field]) -> bytes:
    """Return the lines of the trailers that a client is sent: not those that only a head may say.

    They tell the end of a stream from a cut, and how many rows it had.
    """
    return b"".join([field.line for field in trailers if field.name not in _OURS])


def _framing(status: int, size: int | None, encoding: bytes | None) -> Framing:
    if encoding is not None:
        if size is not None:
            raise BadResponse("Content-Length beside Transfer-Encoding")
        if encoding != b"chunked":
            raise BadResponse("Transfer-Encoding is not chunked")
    if status < 200 or status in {204, 304}:
        return "none"
    if encoding is not None:
        return "chunked"
    return "close" if size is None else "length"


_remembered = lru_cache(1024)(_vet)


def to_head(head: ResponseHead) -> ResponseHead:
    """Return what a head means in the answer to a HEAD request: no body follows."""
    return replace(head, framing="none", usual=None)


def interim(head: ResponseHead) -> bytes:
    """Return an interim response (1xx) as it is passed on."""
    return head.start + b"\r\n"


def begin_answer(
    head: ResponseHead, request_id: bytes, fields: bytes, *, http_1_0: bool, close: bool
) -> tuple[bytes, bool, bool]:
    """Return the bytes that begin an answer; whether its body goes in chunks; if it is the last.

    `fields` are header lines of our own.  A body that ends with the backend's connection goes in
    chunks, so that the client can tell that it is whole, and keep its connection.  HTTP/1.0 has
    no chunks: there it is closed.
    """
    if head.usual is not None and not close and not http_1_0:
        return b"%b%b\r\n%b\r\n" % (head.usual, request_id, fields), False, False
    chunked = False
    framing = b""
    if head.framing in {"none", "length"}:
        if head.content_length is not None:
            framing = b"Content-Length: %d\r\n" % head.content_length
    elif http_1_0:
        close = True
    else:
        chunked = True
        framing = b"Transfer-Encoding: chunked\r\n" + head.announced
    if close:
        framing += b"Connection: close\r\n"
    elif http_1_0:
        framing += b"Connection: keep-alive\r\n"
    start = b"%b%bX-Request-ID: %b\r\n%b\r\n" % (head.start, framing, request_id, fields)
    return start, chunked, close

"""From a parsed response head to what a client is sent."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, NamedTuple

from lb.wire.fields import HOP_BY_HOP, Fields, connection_options, joined

# how the end of a body is known
Framing = Literal["none", "length", "chunked", "close"]

_STATUS_LINES = {
    status: b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode())
    for status, phrase in (
        dict.fromkeys(range(100, 1000), "") | {status.value: status.phrase for status in HTTPStatus}
    ).items()
}

# The balancer gives these itself, or they belong to one connection.
_OURS = HOP_BY_HOP | {b"content-length", b"x-request-id"}
_NO_OPTIONS: frozenset[bytes] = frozenset()


class BadResponse(Exception):
    """A backend answered with what is not HTTP/1.1, or with contradictory framing."""


@dataclass(slots=True)
class ResponseHead:
    """A vetted response head.

    `head` is the status line and the end-to-end fields, without framing and the empty line.
    `content_length` is kept where there is no body too (HEAD, 304).
    """

    status: int
    head: bytes
    framing: Framing
    content_length: int | None
    keep_alive: bool


def vet(status: int, fields: Fields, version: str, *, to_head: bool) -> ResponseHead:
    """Return the head of a final response; `to_head`: it answers a HEAD request.

    Raises BadResponse when the body's end is not certain.
    """
    length: bytes | None = None
    encoding: bytes | None = None
    options = _NO_OPTIONS
    passed: list[bytes] = []
    for name, value in fields:
        lower = name.lower()
        if lower not in _OURS:
            passed += (name, b": ", value, b"\r\n")
        elif lower == b"content-length":
            length = value.strip(b" \t")
        elif lower == b"transfer-encoding":
            encoding = value.strip(b" \t").lower()
        elif lower == b"connection":
            options |= connection_options(value)
    size = None if length is None else int(length)
    bodiless = to_head or status in {204, 304}
    if encoding is not None:
        if encoding != b"chunked" and not bodiless:
            raise BadResponse("Transfer-Encoding is not chunked")
        if size is not None:
            raise BadResponse("Content-Length beside Transfer-Encoding")
    framing: Framing = "close"
    if bodiless:
        framing = "none"
    elif encoding is not None:
        framing = "chunked"
    elif size is not None:
        framing = "length"
    return ResponseHead(
        status,
        _STATUS_LINES[status] + joined(passed, options),
        framing,
        None if status == 204 else size,
        framing != "close"
        and b"close" not in options
        and (version == "1.1" or b"keep-alive" in options),
    )


def interim(status: int, fields: Fields) -> bytes:
    """Return an interim response (1xx) as it is passed on."""
    passed = [b"%b: %b\r\n" % field for field in fields if field[0].lower() not in _OURS]
    return _STATUS_LINES[status] + b"".join(passed) + b"\r\n"


class Begun(NamedTuple):
    """The bytes that begin an answer; whether its body goes in chunks; whether it is the last."""

    head: bytes
    chunked: bool
    close: bool


def begin_answer(head: ResponseHead, fields: bytes, *, http_1_0: bool, close: bool) -> Begun:
    """Return how the client is answered; `fields` are header lines of our own.

    A body that ends with the backend's connection goes in chunks, so that the client can tell
    that it is whole, and keep its connection.  HTTP/1.0 has no chunks: there it is closed.
    """
    chunked = False
    framing = b""
    if head.framing in {"none", "length"}:
        if head.content_length is not None:
            framing = b"Content-Length: %d\r\n" % head.content_length
    elif http_1_0:
        close = True
    else:
        chunked = True
        framing = b"Transfer-Encoding: chunked\r\n"
    if close:
        framing += b"Connection: close\r\n"
    elif http_1_0:
        framing += b"Connection: keep-alive\r\n"
    return Begun(b"%b%b%b\r\n" % (head.head, framing, fields), chunked, close)

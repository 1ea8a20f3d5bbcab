"""From a parsed request head to what a backend is sent: vetted, and written canonically."""

from dataclasses import dataclass, field

from lb.wire.fields import (
    CLAIMS,
    FORWARDING,
    HOP_BY_HOP,
    REQUEST_ID,
    Fields,
    connection_options,
    is_host,
    joined,
)
from lb.wire.problem import Problem, bad_request

_HOST, _LENGTH, _ENCODING, _CONNECTION, _EXPECT, _ID, _API_KEY, _CLAIM, _DROP = range(9)

_NO_OPTIONS: frozenset[bytes] = frozenset()

_MEANING = {
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"transfer-encoding": _ENCODING,
    b"connection": _CONNECTION,
    b"expect": _EXPECT,
    b"x-request-id": _ID,
    b"x-api-key": _API_KEY,
    **dict.fromkeys(HOP_BY_HOP - {b"connection", b"transfer-encoding"} | CLAIMS, _DROP),
    **dict.fromkeys(FORWARDING, _CLAIM),
}


@dataclass(slots=True)
class Request:
    """A request whose head is vetted; its body arrives in `parts`.

    `head` is the request line and the end-to-end fields without the framing, the forwarding
    fields and the empty line.  `content_length` is None for no body or a chunked one.  `claims`
    are the X-Forwarded fields by their name in lower case, for whoever trusts the sender.
    """

    method: bytes
    target: bytes
    head: bytes
    host: bytes
    request_id: bytes | None
    content_length: int | None
    chunked: bool
    keep_alive: bool
    expects_continue: bool
    http_1_0: bool
    api_key: bytes | None = None
    claims: dict[bytes, bytes] | None = None
    parts: list[bytes] = field(default_factory=list)
    received: int = 0
    complete: bool = False

    def take(self) -> bytes:
        """Return the part of the body that has arrived since the last call, as it was sent on.

        Chunked bodies come re-chunked, the last chunk included; trailers are dropped.
        """
        body = b"".join(self.parts)
        self.parts.clear()
        if not self.chunked:
            return body
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk + b"0\r\n\r\n" if self.complete else chunk

    def serialise(self, forwarding: bytes, request_id: bytes) -> bytes:
        """Return the request as backends get it: the head, and what has come of the body.

        `forwarding` ends where the host that the client named is put.
        """
        framing = b""
        if self.chunked:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif self.content_length is not None:
            framing = b"Content-Length: %d\r\n" % self.content_length
        return b"%b%b%b\r\nX-Request-ID: %b\r\n%b\r\n%b" % (
            self.head, forwarding, self.host, request_id, framing, self.take(),
        )  # fmt: skip


def vet(method: bytes, target: bytes, fields: Fields, version: str, max_body: int) -> Request:
    """Return the request, or raise the Problem that refuses it.

    The parser has already refused what no grammar allows: bare CR or LF, folded lines, white
    space before the colon, invalid names, control characters, Content-Length that is repeated or
    no number, and Content-Length beside Transfer-Encoding.
    """
    _check_line(method, version)
    found: list[bytes | None] = [None] * 7
    claims: dict[bytes, bytes] | None = None
    passed: list[bytes] = []
    for name, value in fields:
        lower = name.lower()
        meaning = _MEANING.get(lower)
        if meaning is None:
            # An underscore becomes a dash's twin in a CGI-style environment: X_Real_IP would pass
            # for X-Real-IP.  Dropped, as nginx does.
            if b"_" not in lower:
                passed += (name, b": ", value.strip(b" \t"), b"\r\n")
        elif meaning < _API_KEY:
            found[meaning] = _joined(meaning, found[meaning], value.strip(b" \t"))
        elif meaning == _CLAIM:
            claims = claims or {}
            claims[lower] = _joined(meaning, claims.get(lower), value.strip(b" \t"))
        elif meaning == _API_KEY:
            found[meaning] = _joined(meaning, found[meaning], value.strip(b" \t"))
            passed += (name, b": ", value.strip(b" \t"), b"\r\n")
    host, length, encoding, connection, expect, request_id, api_key = found
    target, host = _authority(method, target, host)
    options = _NO_OPTIONS if connection is None else connection_options(connection)
    http_1_0 = version == "1.0"
    if encoding is not None:
        _check_encoding(encoding, http_1_0=http_1_0)
    size = None if length is None else int(length)
    if size is not None and size > max_body:
        raise body_too_large(max_body)
    if expect is not None and expect.lower() != b"100-continue":
        raise Problem(
            417, "expectation-failed", "The expectation cannot be met",
            "Expect may only say 100-continue. Leave the field out.",
        )  # fmt: skip
    return Request(
        method,
        target,
        b"%b %b HTTP/1.1\r\nHost: %b\r\n%b" % (method, target, host, joined(passed, options)),
        host,
        request_id if request_id is not None and REQUEST_ID.fullmatch(request_id) else None,
        size,
        encoding is not None,
        b"close" not in options and (not http_1_0 or b"keep-alive" in options),
        expect is not None and not http_1_0,
        http_1_0,
        api_key,
        claims,
    )


def body_too_large(max_body: int) -> Problem:
    """Return the 413 for a body beyond `max_body` bytes."""
    return Problem(
        413, "body-too-large", "The body is too large",
        f"A body may have {max_body} bytes (MILLRACE_LB_MAX_BODY_BYTES). Send less at once.",
    )  # fmt: skip


def _joined(meaning: int, before: bytes | None, value: bytes) -> bytes:
    if before is None:
        return value
    if meaning == _HOST:
        raise bad_request("Host is given more than once. Send it once.")
    return b"%b, %b" % (before, value)


def _check_line(method: bytes, version: str) -> None:
    if version not in {"1.1", "1.0"}:
        raise Problem(
            505, "version-not-supported", "This version of HTTP is not spoken here",
            f"The request says HTTP/{version}. Send HTTP/1.1.",
        )  # fmt: skip
    if method in {b"CONNECT", b"TRACE"}:
        raise Problem(
            501, "method-not-implemented", "The method is not offered",
            f"{method.decode()} is not passed on. Use another method.",
        )  # fmt: skip


def _check_encoding(encoding: bytes, *, http_1_0: bool) -> None:
    if http_1_0:
        raise bad_request("HTTP/1.0 has no Transfer-Encoding. Send Content-Length, or HTTP/1.1.")
    if encoding.lower() != b"chunked":
        raise Problem(
            501, "transfer-coding-not-implemented", "The transfer coding is not offered",
            "Transfer-Encoding may only say chunked, once. Send the body uncoded.",
        )  # fmt: skip


def _authority(method: bytes, target: bytes, host: bytes | None) -> tuple[bytes, bytes]:
    """Return the target in origin form (or `*`) and the host."""
    if host is None:
        raise bad_request("Host is missing. Send it, once.")
    if not is_host(host):
        raise bad_request("Host is no host name or address with an optional port. Correct it.")
    if target[:1] != b"/":
        if target == b"*":
            if method != b"OPTIONS":
                raise bad_request("Only OPTIONS may have the target *. Send a path.")
            return target, host
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in {b"http", b"https"}:
            raise bad_request("The target is neither a path nor an http URI. Send a path.")
        end = min((i for i in (rest.find(b"/"), rest.find(b"?")) if i >= 0), default=len(rest))
        if rest[:end].lower() != host.lower():
            raise bad_request("The target names another host than Host does. Make them agree.")
        target = rest[end:]
        if target[:1] != b"/":
            target = b"/" + target
    if b"#" in target or not target.isascii():
        raise bad_request("The target holds a character that no URI may have. Percent-encode it.")
    return target, host

"""From the bytes of a request's head to what a backend is sent: vetted, and written canonically."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from lb.wire.fields import (
    CLAIMS,
    FORWARDING,
    HOP_BY_HOP,
    REQUEST_ID,
    connection_options,
    is_host,
    joined,
)
from lb.wire.head import REMEMBERED_BYTES, BadField, Field, split_fields
from lb.wire.problem import Problem, bad_request
from lb.wire.request_line import METHODS, refusal_of_line

_LINE = re.compile(rb"([A-Z][A-Z-]*+) ([\x21\x22\x24-\x7e]++) HTTP/1\.([01])")
_LENGTH_VALUE = re.compile(rb"[0-9]{1,18}")

(
    _HOST, _LENGTH, _ENCODING, _CONNECTION, _EXPECT, _ID, _UPGRADE, _API_KEY,
    _AUTHORIZATION, _PARENT, _STATE, _CLAIM, _DROP,
) = range(13)  # fmt: skip

_NO_OPTIONS: frozenset[bytes] = frozenset()

_MEANING = {
    **dict.fromkeys(HOP_BY_HOP | CLAIMS, _DROP),
    **dict.fromkeys(FORWARDING, _CLAIM),
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"transfer-encoding": _ENCODING,
    b"connection": _CONNECTION,
    b"expect": _EXPECT,
    b"x-request-id": _ID,
    b"upgrade": _UPGRADE,
    b"x-api-key": _API_KEY,
    b"authorization": _AUTHORIZATION,
    b"traceparent": _PARENT,
    b"tracestate": _STATE,
}


class TraceFields(NamedTuple):
    """Fields of W3C Trace Context as they came, not vetted; empty for none."""

    parent: bytes
    state: bytes

    def lines(self) -> bytes:
        """Return the fields as they are passed on unread."""
        parent = b"traceparent: %b\r\n" % self.parent if self.parent else b""
        return parent + (b"tracestate: %b\r\n" % self.state if self.state else b"")


@dataclass(slots=True)
class RequestHead:
    """A vetted head.  It never changes once made: equal heads share one.

    `start` is the request line and the end-to-end fields without the framing, the forwarding
    fields and the empty line; `end` is the framing and the empty line.  `content_length` is 0 for
    no body too.  `trace` is what is said of the trace that it belongs to.  `claims` are the
    X-Forwarded fields by their name in lower case, for whoever trusts the sender.
    """

    method: bytes
    target: bytes
    start: bytes
    end: bytes
    host: bytes
    request_id: bytes | None
    content_length: int
    chunked: bool
    keep_alive: bool
    expects_continue: bool
    http_1_0: bool
    api_key: bytes | None
    authorization: bytes | None
    trace: TraceFields | None
    claims: dict[bytes, bytes] | None


def vet(raw: bytes) -> RequestHead:
    """Return the head that `raw` is, to the empty line; or raise the Problem that refuses it.

    Remembered: what a head means depends on nothing but its bytes, clients repeat theirs, and
    looking one up costs a tenth of vetting it.
    """
    return _remembered(raw) if len(raw) <= REMEMBERED_BYTES else _vet(raw)


def _vet(raw: bytes) -> RequestHead:
    line, *lines = raw[:-4].split(b"\r\n")
    match = _LINE.fullmatch(line)
    if match is None or match[1] not in METHODS:
        raise refusal_of_line(line) or bad_request("The request line is not valid. Correct it.")
    method, target, minor = match.groups()
    try:
        fields = split_fields(lines, len(raw))
    except BadField:
        raise bad_request(
            "A header field is not a name, a colon and a value on one line ended by CRLF, without "
            "control characters. Correct the request; nothing of it was passed on unread."
        ) from None
    found, claims, passed = _sort(fields)
    host, length, encoding, connection, expect, request_id, upgrade, *keys, parent, state = found
    api_key, authorization = keys
    if host is None or not is_host(host):
        raise bad_request("Host is missing, or no name or address with a port. Send it, once.")
    if target[:1] != b"/":
        target = _in_origin_form(target, method, host)
    options = _NO_OPTIONS if connection is None else connection_options(connection)
    http_1_0 = minor == b"0"
    end = b"\r\n"
    size = 0
    if encoding is not None:
        _check_encoding(encoding, length, http_1_0=http_1_0)
        end = b"Transfer-Encoding: chunked\r\n\r\n"
    elif length is not None:
        size = _size(length)
        end = b"Content-Length: %d\r\n\r\n" % size
    if expect is not None and expect.lower() != b"100-continue":
        raise Problem(
            417, "expectation-failed", "The expectation cannot be met",
            "Expect may only say 100-continue. Leave the field out.",
        )  # fmt: skip
    if upgrade is not None and b"upgrade" in options:
        _check_upgrade(upgrade)
    return RequestHead(
        method,
        target,
        b"%b %b HTTP/1.1\r\nHost: %b\r\n%b" % (method, target, host, joined(passed, options)),
        end,
        host,
        request_id if request_id is not None and REQUEST_ID.fullmatch(request_id) else None,
        size,
        encoding is not None,
        b"close" not in options and (not http_1_0 or b"keep-alive" in options),
        expect is not None and not http_1_0,
        http_1_0,
        api_key,
        authorization,
        _trace(parent, state),
        claims,
    )


_remembered = lru_cache(1024)(_vet)


def _sort(
    fields: list[Field],
) -> tuple[list[bytes | None], dict[bytes, bytes] | None, list[Field]]:
    """Return the values that mean something here, the claims, and what is passed on."""
    found: list[bytes | None] = [None] * _CLAIM
    claims: dict[bytes, bytes] | None = None
    passed: list[Field] = []
    for field in fields:
        name = field.name
        meaning = _MEANING.get(name)
        if meaning is None:
            # An underscore becomes a dash's twin in a CGI-style environment: X_Real_IP would pass
            # for X-Real-IP.  Dropped, as nginx does.
            if b"_" not in name:
                passed.append(field)
        elif meaning < _CLAIM:
            found[meaning] = _joined(meaning, found[meaning], field.value)
            if meaning in {_API_KEY, _AUTHORIZATION}:
                passed.append(field)
        elif meaning == _CLAIM:
            claims = claims or {}
            claims[name] = _joined(meaning, claims.get(name), field.value)
    return found, claims, passed


def _joined(meaning: int, before: bytes | None, value: bytes) -> bytes:
    if before is None:
        return value
    if meaning == _HOST:
        raise bad_request("Host is given more than once. Send it once.")
    return b"%b, %b" % (before, value)


def _trace(parent: bytes | None, state: bytes | None) -> TraceFields | None:
    if parent is None and state is None:
        return None
    return TraceFields(parent or b"", state or b"")


def _size(length: bytes) -> int:
    if _LENGTH_VALUE.fullmatch(length) is None:
        raise bad_request("Content-Length is repeated, or no number. Send it once, in digits.")
    return int(length)


def _check_encoding(encoding: bytes, length: bytes | None, *, http_1_0: bool) -> None:
    if http_1_0:
        raise bad_request("HTTP/1.0 has no Transfer-Encoding. Send Content-Length, or HTTP/1.1.")
    if length is not None:
        raise bad_request("Content-Length is beside Transfer-Encoding. Send one of them.")
    codings = [coding.strip(b" \t") for coding in encoding.lower().split(b",")]
    if codings == [b"chunked"]:
        return
    if not all(codings) or b"chunked" in codings[:-1]:
        raise bad_request("Transfer-Encoding says chunked before its end, or nothing. Correct it.")
    raise Problem(
        501, "transfer-coding-not-implemented", "The transfer coding is not offered",
        "Transfer-Encoding may only say chunked, once. Send the body uncoded.",
    )  # fmt: skip


def _check_upgrade(upgrade: bytes) -> None:
    # Clients offer h2c by default and go on in HTTP/1.1 when it is ignored (RFC 9110 section
    # 7.8); one that asks for another protocol could do nothing with an answer in this one.
    if upgrade.lower() != b"h2c":
        raise Problem(
            501, "upgrade-not-implemented", "Protocol switches are not offered",
            "The request asks to switch to another protocol, as WebSocket does; the API speaks "
            "HTTP/1.1 alone. Send it without Upgrade.",
        )  # fmt: skip


def _in_origin_form(target: bytes, method: bytes, host: bytes) -> bytes:
    """Return the path and query that an absolute target has, or `*`."""
    if target == b"*":
        if method != b"OPTIONS":
            raise bad_request("Only OPTIONS may have the target *. Send a path.")
        return target
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        raise bad_request("The target is neither a path nor an http URI. Send a path.")
    end = min((i for i in (rest.find(b"/"), rest.find(b"?")) if i >= 0), default=len(rest))
    if rest[:end].lower() != host.lower():
        raise bad_request("The target names another host than Host does. Make them agree.")
    target = rest[end:]
    return target if target[:1] == b"/" else b"/" + target

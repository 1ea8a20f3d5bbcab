"""A look at a request's head while its bytes still lie in the socket."""

import math
import re
from dataclasses import dataclass

_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.([01])")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~-]{1,128}")
_BLANKS = b" \t"


@dataclass(frozen=True, slots=True)
class Head:
    """What decides about a request before it is parsed.

    `length`: bytes of the whole request; None where that is not certain, or where the connection
    ends with it.  `budget_s`: how long its answer is of use, as the balancer says.
    """

    method: str
    target: str
    accept: str | None
    request_id: str | None
    budget_s: float
    length: int | None


def look(data: bytes) -> Head | None:
    """Return the head that `data` begins with; None if it is not whole, or none."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    line, *lines = data[:end].split(b"\r\n")
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    fields: dict[bytes, bytes] = {}
    twice: set[bytes] = set()
    for each in lines:
        name, _, value = each.partition(b":")
        name = name.lower()
        if name in fields:
            twice.add(name)
        fields[name] = value.strip(_BLANKS)
    given_id = fields.get(b"x-request-id", b"")
    accept = fields.get(b"accept")
    return Head(
        match[1].decode("ascii"),
        match[2].decode("latin-1"),
        accept.decode("latin-1") if accept is not None and b"accept" not in twice else None,
        given_id.decode("ascii") if _REQUEST_ID.fullmatch(given_id) else None,
        _seconds(fields.get(b"x-millrace-timeout-s", b"")),
        _length(fields, twice, end + 4) if match[3] == b"1" else None,
    )


def _length(fields: dict[bytes, bytes], twice: set[bytes], head: int) -> int | None:
    """Return where the next request would begin; None as soon as there is any doubt."""
    if twice & {b"content-length", b"transfer-encoding", b"connection"}:
        return None
    if b"transfer-encoding" in fields or b"expect" in fields:
        return None
    if fields.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    size = fields.get(b"content-length", b"0")
    return head + int(size) if size.isdigit() else None


def _seconds(text: bytes) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return math.inf
    return seconds if seconds > 0 else math.inf

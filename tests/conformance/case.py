"""A case: bytes that a client sends, how the backend answers, and what has to come of it."""

from dataclasses import dataclass, field
from typing import Literal

PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n"

# The limits that every target is configured with, where it has such a setting.
MAX_LINE = 8192
MAX_HEAD = 32768
MAX_BODY = 200_000

# A larger body is passed on while it still comes (the default of MILLRACE_LB_REPLAY_BODY_BYTES).
STREAMED = 100_000


@dataclass(frozen=True, slots=True)
class Reply:
    """What the backend does with each request of a case.

    No `pieces`: it answers 200 with the request's target as the body.  `at`: as soon as the head
    is there, or after the whole request.  `then`: what becomes of the connection.
    """

    pieces: tuple[bytes, ...] = ()
    at: Literal["head", "end"] = "end"
    then: Literal["keep", "close", "reset"] = "keep"
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """`statuses`: of all answers in order, interim ones included.  `closed`: by the proxy, then.

    `seen`: each request as the backend has to see it: method, target and body joined by spaces;
    None where any number of attempts is right.  `has` are lines (name in lower case) and
    `has_not` names of fields of the forwarded heads; `answer_has` and `answer_has_not` those of
    the last answer.  `bodies`: of the answers that are not interim.  `broken`: the last answer
    may not look whole.  `leaves`: the client closes when it has sent all.  `waits`: it sends
    the second piece after the first answer.  `to_head`: all requests are HEAD.
    """

    name: str
    send: tuple[bytes, ...]
    statuses: tuple[int, ...]
    closed: bool
    seen: tuple[bytes, ...] | None
    reply: Reply = field(default_factory=Reply)
    has: tuple[bytes, ...] = ()
    has_not: tuple[bytes, ...] = ()
    answer_has: tuple[bytes, ...] = ()
    answer_has_not: tuple[bytes, ...] = ()
    bodies: tuple[bytes, ...] | None = None
    broken: bool = False
    leaves: bool = False
    waits: bool = False
    to_head: bool = False


def get(*fields: bytes) -> bytes:
    """Return a whole GET of / with these further fields."""
    return PLAIN + b"".join(line + b"\r\n" for line in fields) + b"\r\n"


def post(*fields: bytes, body: bytes = b"") -> bytes:
    """Return a POST of / with these further fields, which have to frame the body."""
    return b"POST" + get(*fields)[3:] + body


def chunked(body: bytes) -> bytes:
    """Return a POST with a chunked body, given as it is on the wire."""
    return post(b"Transfer-Encoding: chunked", body=body)


def refused(name: str, send: bytes, status: int = 400) -> Case:
    """Return the case of bytes that must not reach the backend, and end the connection."""
    return Case(name, (send,), (status,), closed=True, seen=())


def passed(
    name: str,
    send: bytes | tuple[bytes, ...],
    *seen: bytes,
    has: tuple[bytes, ...] = (),
    has_not: tuple[bytes, ...] = (),
    closed: bool = False,
    to_head: bool = False,
) -> Case:
    """Return the case of one request or more that reach the backend as `seen`, in this order."""
    pieces = send if isinstance(send, tuple) else (send,)
    bodies = tuple(b"" if to_head else request.split(b" ")[1] for request in seen)
    return Case(
        name, pieces, (200,) * len(seen), closed, seen, has=has, has_not=has_not, bodies=bodies,
        to_head=to_head,
    )  # fmt: skip


def answered(
    name: str,
    answer: bytes | tuple[bytes, ...],
    *statuses: int,
    send: bytes | None = None,
    body: bytes | None = None,
    has: tuple[bytes, ...] = (),
    has_not: tuple[bytes, ...] = (),
    closed: bool = False,
    broken: bool = False,
    then: Literal["keep", "close", "reset"] = "keep",
) -> Case:
    """Return the case of a backend's answer to a plain GET, and of what the client gets for it.

    Where the client is kept, a request that follows must get its own answer and nothing else.
    """
    pieces = answer if isinstance(answer, tuple) else (answer,)
    request = send or get()
    return Case(
        name, (request,), statuses, closed, None, Reply(pieces, then=then),
        answer_has=has, answer_has_not=has_not, bodies=None if body is None else (body,),
        broken=broken, to_head=request.startswith(b"HEAD"),
    )  # fmt: skip

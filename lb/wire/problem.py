"""Errors as a client sees them: problem details (RFC 9457), with the cause and a remedy."""

import json
import math
from email.utils import formatdate
from http import HTTPStatus


class Problem(Exception):
    """One error: `slug` ends its stable `type`; `detail` says the cause and what to do.

    `retry_after_s` becomes `Retry-After` in whole seconds, rounded up.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.retry_after_s = retry_after_s


def bad_request(detail: str) -> Problem:
    """Return the 400 for a request that breaks a rule of HTTP."""
    return Problem(400, "bad-request", "The request is not valid HTTP/1.1", detail)


def serialise(
    problem: Problem, request_id: bytes, *, close: bool, body: bool = True, fields: bytes = b""
) -> bytes:
    """Return the whole response: head, then the document unless `body` is false (HEAD).

    `fields` are further header lines, each ended by CRLF.
    """
    document = json.dumps(
        {
            "type": f"/problems/{problem.slug}",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "instance": request_id.decode(),
        }
    ).encode()
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n"
        "Content-Type: application/problem+json\r\n"
        "Cache-Control: no-store\r\n"
        f"Content-Length: {len(document)}\r\n"
        f"X-Request-ID: {request_id.decode()}\r\n"
    )
    if problem.retry_after_s is not None:
        head += f"Retry-After: {max(1, math.ceil(problem.retry_after_s))}\r\n"
    if close:
        head += "Connection: close\r\n"
    return head.encode() + fields + b"\r\n" + (document if body else b"")

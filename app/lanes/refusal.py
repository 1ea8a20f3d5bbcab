"""The answer to a request that is refused unread: 503, and as cheap as can be."""

import json
import math

from app.lanes.lane import Cause, LaneName
from app.problem_types import OVERLOADED
from app.problems import MEDIA_TYPE
from app.request_id import HEADER

# tells the balancer that the replica is well, but has enough to do; its value is the lane
OVERLOADED_HEADER = "X-Millrace-Overloaded"

_DETAILS: dict[Cause, str] = {
    "full": "As many requests of the lane {lane} wait as may.",
    "late": "A request of the lane {lane} would wait longer for its turn than it may.",
    "expired": "No turn came in time in the lane {lane}.",
}


def refusal(
    request_id: str,
    lane: LaneName,
    cause: Cause,
    *,
    retry_after_s: float,
    with_body: bool,
    close: bool,
) -> bytes:
    """Return the whole response; `with_body` False: what HEAD is answered with."""
    kind = OVERLOADED
    wait_s = max(1, math.ceil(retry_after_s))
    document = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": _DETAILS[cause].format(lane=lane) + " Nothing was done. Try again later.",
        "instance": request_id,
        "lane": lane,
        "retry_after_s": wait_s,
    }
    body = json.dumps(document).encode()
    ending = "Connection: close\r\n" if close else ""
    head = (
        f"HTTP/1.1 {kind.status} Service Unavailable\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
        f"Retry-After: {wait_s}\r\n"
        f"{OVERLOADED_HEADER}: {lane}\r\n{HEADER}: {request_id}\r\n{ending}\r\n"
    )
    return head.encode("latin-1") + (body if with_body else b"")

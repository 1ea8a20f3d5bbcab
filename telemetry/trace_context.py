"""What travels from one program to the next about a trace (W3C Trace Context, level 1)."""

import re
from dataclasses import dataclass
from hashlib import blake2b

# Of a version that is not known, what is known of its beginning counts (section 3.2.4).
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_SAMPLED = 0x01
_MOST_STATE = 512


@dataclass(frozen=True)
class TraceContext:
    """A span of somebody else's: the parent of ours.  `state` is its vendor's, passed on."""

    trace_id: int
    span_id: int
    sampled: bool
    state: str = ""


def parse(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """Return what the two header fields say; None for what is not valid, as for nothing."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or (match[1] == "00" and match[5]):
        return None
    return TraceContext(
        int(match[2], 16),
        int(match[3], 16),
        bool(int(match[4], 16) & _SAMPLED),
        tracestate if len(tracestate) <= _MOST_STATE else "",
    )


def attempt_id(what: str, attempt: int) -> int:
    """Return the id of the span of an attempt: whoever makes the next one can compute it.

    So a retry is linked to an attempt that another process made, and of which nothing but its
    number is known.
    """
    digest = blake2b(f"{what}/{attempt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) or 1

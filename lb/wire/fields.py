"""Header fields that mean something to an intermediary (RFC 9110 section 7.6, RFC 9112)."""

import re
from functools import lru_cache

from lb.wire.head import Field

# Fields of one connection only: never passed on, in either direction.
HOP_BY_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate",
        b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    )
)  # fmt: skip

# What a client says here about itself or the way so far is not to be believed, unless it is a
# trusted proxy: replicas trust us.
CLAIMS = frozenset(
    (
        b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port",
        b"x-forwarded-prefix", b"x-forwarded-proto", b"x-forwarded-scheme",
        b"x-forwarded-server", b"x-forwarded-ssl", b"x-millrace-repeated", b"x-millrace-timeout-s",
        b"x-real-ip",
    )
)  # fmt: skip

# Those that are extended for a trusted proxy; the others say less, or the same in other words.
FORWARDING = frozenset((b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"))

# what Connection says when it names no field
_USUAL_OPTIONS = frozenset((b"keep-alive", b"close", b""))

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

# reg-name, IPv4 or bracketed IPv6, with an optional port (RFC 3986 section 3.2.2)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@lru_cache(1024)
def is_host(value: bytes) -> bool:
    """Tell whether `value` may be sent as Host.  Remembered: clients repeat theirs."""
    return _HOST.fullmatch(value) is not None


@lru_cache(256)
def connection_options(value: bytes) -> frozenset[bytes]:
    """Return the options of a Connection field in lower case."""
    return frozenset(option.strip(b" \t").lower() for option in value.split(b","))


def joined(passed: list[Field], options: frozenset[bytes]) -> bytes:
    """Return the lines of `passed` but those that the Connection field's `options` name."""
    if options <= _USUAL_OPTIONS:
        return b"".join([field.line for field in passed])
    return b"".join([field.line for field in passed if field.name not in options])

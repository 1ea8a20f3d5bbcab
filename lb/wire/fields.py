"""Header fields that mean something to an intermediary (RFC 9110 section 7.6, RFC 9112)."""

import re
from functools import lru_cache

Fields = list[tuple[bytes, bytes]]

# Fields of one connection only: never passed on, in either direction.
HOP_BY_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate",
        b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    )
)  # fmt: skip

# What a client says here about itself or the way so far is not to be believed: peers are not
# trusted proxies, and replicas trust us.
CLAIMS = frozenset(
    (
        b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port",
        b"x-forwarded-prefix", b"x-forwarded-proto", b"x-forwarded-scheme",
        b"x-forwarded-server", b"x-forwarded-ssl", b"x-real-ip",
    )
)  # fmt: skip

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

# reg-name, IPv4 or bracketed IPv6, with an optional port (RFC 3986 section 3.2.2)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@lru_cache(1024)
def is_host(value: bytes) -> bool:
    """Tell whether `value` may be sent as Host.  Remembered: clients repeat theirs."""
    return _HOST.fullmatch(value) is not None


def connection_options(value: bytes) -> frozenset[bytes]:
    """Return the options of a Connection field in lower case."""
    return frozenset(option.strip(b" \t").lower() for option in value.split(b","))


def lines(fields: Fields, without: frozenset[bytes] = frozenset()) -> bytes:
    """Return `fields` as header lines, but for the names (lower case) in `without`."""
    return b"".join(
        [
            b"%b: %b\r\n" % field
            for field in fields
            if not without or field[0].lower() not in without
        ]
    )

"""The PROXY protocol's header, versions 1 and 2: whom a proxy in front of us speaks for.

By HAProxy's specification, https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt.
"""

import ipaddress
import re
from typing import Literal, NamedTuple

MAX_LENGTH = 4096

_V1_PREFIX = b"PROXY "
_V1_MAX_LENGTH = 107  # the longest line that the specification allows, with its CRLF
_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")
_MAX_PORT = 65535

_V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED_LENGTH = 16
_V2_LOCAL, _V2_PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
# Bytes of both endpoints, by family and transport; further bytes are TLVs.
_V2_ENDPOINTS = {
    0x00: 0,  # unspecified
    _TCP4: 12, 0x12: 12,  # the second of each: datagrams
    _TCP6: 36, 0x22: 36,
    0x31: 216, 0x32: 216,  # Unix sockets
}  # fmt: skip


class Header(NamedTuple):
    """A whole header of `length` bytes; `source` is None when it tells no address of a client."""

    length: int
    source: str | None


Outcome = Header | Literal["incomplete", "malformed"]


def read_header(data: bytes) -> Outcome:
    """Read the header that `data` begins with.

    While it is incomplete, all of `data` belongs to it.  What is malformed is known as such as
    early as can be, so that HTTP or TLS without a header is refused at once.
    """
    if data[:1] == b"P":
        return _read_v1(data)
    return _read_v2(data)


def _read_v1(data: bytes) -> Outcome:
    if not _agrees(data, _V1_PREFIX):
        return "malformed"
    end = data.find(b"\r\n", 0, _V1_MAX_LENGTH)
    if end < 0:
        return "incomplete" if len(data) < _V1_MAX_LENGTH else "malformed"
    words = data[len(_V1_PREFIX) : end].split(b" ")
    length = end + 2
    if words[0] == b"UNKNOWN":  # whatever stands behind it
        return Header(length, None)
    if len(words) != 5:
        return "malformed"
    family, source, destination, *ports = words
    address = _address(family, source)
    if address is None or _address(family, destination) is None:
        return "malformed"
    return Header(length, address) if all(map(_is_port, ports)) else "malformed"


def _address(family: bytes, text: bytes) -> str | None:
    if b"%" in text:  # a zone, which Python takes, and which means nothing on another machine
        return None
    try:
        if family == b"TCP4":
            return str(ipaddress.IPv4Address(text.decode("latin-1")))
        if family == b"TCP6":
            return str(ipaddress.IPv6Address(text.decode("latin-1")))
    except ValueError:
        pass
    return None


def _is_port(text: bytes) -> bool:
    return _PORT.fullmatch(text) is not None and int(text) <= _MAX_PORT


def _read_v2(data: bytes) -> Outcome:
    if not _agrees(data, _V2_SIGNATURE):
        return "malformed"
    position = len(_V2_SIGNATURE)
    if len(data) > position and data[position] not in {_V2_LOCAL, _V2_PROXY}:
        return "malformed"
    if len(data) < _V2_FIXED_LENGTH:
        return "incomplete"
    is_local, family = data[position] == _V2_LOCAL, data[position + 1]
    following = int.from_bytes(data[position + 2 : _V2_FIXED_LENGTH], "big")
    length = _V2_FIXED_LENGTH + following
    # LOCAL, the proxy's own connection: what it says of a family is to be ignored.
    if length > MAX_LENGTH or (not is_local and following < _V2_ENDPOINTS.get(family, MAX_LENGTH)):
        return "malformed"
    if len(data) < length:
        return "incomplete"
    source = None
    if not is_local and family == _TCP4:
        source = str(ipaddress.IPv4Address(data[_V2_FIXED_LENGTH : _V2_FIXED_LENGTH + 4]))
    elif not is_local and family == _TCP6:
        source = str(ipaddress.IPv6Address(data[_V2_FIXED_LENGTH : _V2_FIXED_LENGTH + 16]))
    return Header(length, source)


def _agrees(data: bytes, beginning: bytes) -> bool:
    """Tell whether one of the two begins with the other."""
    return data[: len(beginning)] == beginning[: len(data)]

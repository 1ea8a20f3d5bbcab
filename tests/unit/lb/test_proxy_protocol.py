"""PROXY protocol headers are read exactly, however they are split, or known as malformed."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lb.wire.proxy_protocol import MAX_LENGTH, Header, read_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
IPV4 = bytes([192, 0, 2, 7, 10, 0, 0, 1]) + b"\x10\x00\x01\xbb"
IPV6 = ipaddress.ip_address("2001:db8::7").packed + bytes(16) + b"\x10\x00\x01\xbb"
TLVS = b"\x04\x00\x03abc\xea\x00\x01z"


def v2(rest: bytes, command: int = 0x21, family: int = 0x11, length: int | None = None) -> bytes:
    size = len(rest) if length is None else length
    return SIGNATURE + bytes([command, family]) + size.to_bytes(2, "big") + rest


LONGEST_V1 = b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n"
VALID = [
    (b"PROXY TCP4 192.0.2.7 10.0.0.1 4096 443\r\n", "192.0.2.7"),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n", "255.255.255.255"),
    (b"PROXY TCP6 2001:db8::7 ::1 4096 443\r\n", "2001:db8::7"),
    (b"PROXY TCP6 2001:DB8:0:0:0:0:0:7 ::1 4096 443\r\n", "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", None),
    (LONGEST_V1, None),
    (v2(IPV4), "192.0.2.7"),
    (v2(IPV4 + TLVS), "192.0.2.7"),
    (v2(IPV6, family=0x21), "2001:db8::7"),
    (v2(IPV6 + TLVS, family=0x21), "2001:db8::7"),
    (v2(IPV4 + bytes(MAX_LENGTH - 28)), "192.0.2.7"),
    (v2(b"", command=0x20, family=0x00), None),
    (v2(b"", command=0x20, family=0x11), None),
    (v2(IPV4, command=0x20), None),
    (v2(b"whatever", command=0x20, family=0xFF), None),
    (v2(b"", family=0x00), None),
    (v2(TLVS, family=0x00), None),
    (v2(IPV4, family=0x12), None),
    (v2(IPV6, family=0x22), None),
    (v2(bytes(216), family=0x31), None),
    (v2(bytes(216), family=0x32), None),
]


@pytest.mark.parametrize(("raw", "source"), VALID)
def test_a_header_is_known_by_its_last_byte_and_no_sooner(raw: bytes, source: str | None) -> None:
    assert read_header(raw) == Header(len(raw), source)
    for size in range(len(raw)):
        assert read_header(raw[:size]) == "incomplete"
    for following in (b"\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", raw):
        assert read_header(raw + following) == Header(len(raw), source)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"proxy TCP4",
        b"PROXY\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY unknown\r\n",
        b"PROXY UDP4 192.0.2.7 10.0.0.1 4096 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4096\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4096 443 1\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4096 443 \r\n",
        b"PROXY TCP4  192.0.2.7 10.0.0.1 4096 443\r\n",
        b"PROXY  TCP4 192.0.2.7 10.0.0.1 4096 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4096 0443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4096 -1\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4096 +1\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4096 443\n\r\n",
        b"PROXY TCP4 192.0.2.07 10.0.0.1 4096 443\r\n",
        b"PROXY TCP4 192.0.2.256 10.0.0.1 4096 443\r\n",
        b"PROXY TCP4 192.0.2 10.0.0.1 4096 443\r\n",
        b"PROXY TCP4 192.0.2.7 a.example 4096 443\r\n",
        b"PROXY TCP4 2001:db8::7 ::1 4096 443\r\n",
        b"PROXY TCP6 192.0.2.7 10.0.0.1 4096 443\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 4096 443\r\n",
        b"PROXY TCP6 [2001:db8::7] ::1 4096 443\r\n",
        b"PROXY TCP4 192.0.2.\xb2 10.0.0.1 4096 443\r\n",
        b"PROXY UNKNOWN " + b"f" * 93,
        b"PROXY UNKNOWN " + b"f" * 92 + b"\r\n",
        SIGNATURE[:11] + b"\r",
        b"\r\n\r\nGET",
        SIGNATURE + b"\x11",  # version 1
        SIGNATURE + b"\x31",  # version 3
        SIGNATURE + b"\x22",  # no such command
        v2(IPV4, family=0x10),
        v2(IPV4, family=0x01),
        v2(IPV4, family=0x13),
        v2(IPV6, family=0x41),
        v2(IPV4[:-1]),
        v2(IPV4, family=0x21),
        v2(IPV4, family=0x31),
        v2(b"", length=0),
        v2(b"", length=MAX_LENGTH - 15),
        v2(b"", command=0x20, length=MAX_LENGTH - 15),
        v2(b"", length=65535),
    ],
)
def test_a_malformed_header_is_known_and_stays_so(raw: bytes) -> None:
    assert read_header(raw) == "malformed"
    assert read_header(raw + b"\r\n" + bytes(300)) == "malformed"


@given(
    st.ip_addresses(),
    st.ip_addresses(),
    st.integers(0, 65535),
    st.binary(max_size=300),
    st.booleans(),
)
def test_what_is_written_is_read_whatever_follows(
    source: ipaddress.IPv4Address | ipaddress.IPv6Address,
    other: ipaddress.IPv4Address | ipaddress.IPv6Address,
    port: int,
    following: bytes,
    is_text: bool,
) -> None:
    size = len(source.packed)
    if is_text:
        destination = source.__class__(int(other) % 2 ** (8 * size))
        raw = f"PROXY TCP{source.version} {source} {destination} {port} {port}\r\n".encode()
    else:
        ends = source.packed + bytes(size) + port.to_bytes(2, "big") * 2
        raw = v2(ends, family=0x11 if source.version == 4 else 0x21)
    assert read_header(raw + following) == Header(len(raw), str(source))


@given(st.sampled_from([b"", b"P", b"PROXY ", SIGNATURE, SIGNATURE + b"\x21\x11"]), st.binary())
@example(b"", b"")
def test_any_bytes_have_one_outcome_that_more_bytes_do_not_change(
    beginning: bytes, rest: bytes
) -> None:
    raw = beginning + rest
    final = None
    for size in range(len(raw) + 1):
        outcome = read_header(raw[:size])
        if final is not None:
            assert outcome == final
        elif outcome != "incomplete":
            final = outcome
            assert outcome == "malformed" or outcome.length == size

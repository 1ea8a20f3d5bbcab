"""Clients are told apart by address, and only trusted proxies may name another."""

import pytest

from lb.client_address import ClientAddresses, canonical, parse_networks

ADDRESSES = ClientAddresses(parse_networks("10.0.0.0/8, 2001:db8:ffff::/48"), ipv6_prefix=64)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_client_is_its_network(address: str, key: str) -> None:
    assert ADDRESSES.direct(canonical(address), b"http").key == key


@pytest.mark.parametrize(
    ("way", "client"),
    [
        (b"192.0.2.7", "192.0.2.7"),
        (b"1.1.1.1, 192.0.2.7", "192.0.2.7"),
        (b"1.1.1.1, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
        (b"10.3.3.3, 10.2.2.2", "10.3.3.3"),
        (b"192.0.2.7:4711, [2001:db8:ffff::1]:80", "192.0.2.7"),
        (b"::ffff:192.0.2.7", "192.0.2.7"),
        (b"1.1.1.1, unknown, 10.2.2.2", "10.2.2.2"),
        (b"1.1.1.1, _hidden", "10.9.9.9"),
        (b"1.1.1.1, ", "10.9.9.9"),
        (b",", "10.9.9.9"),
        (b"1.1.1.1\xff", "10.9.9.9"),
    ],
)
def test_the_right_most_address_that_is_no_trusted_proxy_is_the_client(
    way: bytes, client: str
) -> None:
    identity = ADDRESSES.forwarded("10.9.9.9", b"http", {b"x-forwarded-for": way})
    assert (identity.address, identity.key) == (client, client)
    assert identity.forwarding.startswith(b"X-Forwarded-For: " + way + b", 10.9.9.9\r\n")


def test_a_trusted_proxys_scheme_and_host_are_passed_on_when_they_make_sense() -> None:
    claims = {b"x-forwarded-proto": b"HTTPS", b"x-forwarded-host": b"example.org"}
    identity = ADDRESSES.forwarded("10.9.9.9", b"http", claims)
    assert b"\r\nX-Forwarded-Proto: https\r\n" in identity.forwarding
    assert identity.host == b"example.org"
    claims = {b"x-forwarded-proto": b"gopher", b"x-forwarded-host": b"a b"}
    identity = ADDRESSES.forwarded("10.9.9.9", b"http", claims)
    assert b"\r\nX-Forwarded-Proto: http\r\n" in identity.forwarding
    assert identity.host is None


def test_ipv4_in_ipv6_is_trusted_as_ipv4_and_nothing_is_without_a_list() -> None:
    assert ADDRESSES.trusts("::ffff:10.0.0.1")
    assert not ADDRESSES.trusts("11.0.0.1")
    assert not ClientAddresses((), ipv6_prefix=64).trusts("127.0.0.1")

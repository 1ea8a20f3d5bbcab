"""Who a client is: the peer, or whom a trusted proxy in front of us names."""

import ipaddress
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from lb.wire.fields import is_host

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NO_CLAIMS: Mapping[bytes, bytes] = {}
_REMEMBERED = 4096


class Identity(NamedTuple):
    """`address`: for logs; `key`: whom limits count; `forwarding`: header lines for the replica.

    `forwarding` ends where `host` is put; `host` is None when the request's own is meant.
    """

    address: str
    key: str
    forwarding: bytes
    host: bytes | None


class ClientAddresses:
    """Tells clients apart, and believes X-Forwarded-* from `trusted` networks alone."""

    def __init__(self, trusted: tuple[Network, ...], *, ipv6_prefix: int) -> None:
        self._trusted = trusted
        self._ipv6_prefix = ipv6_prefix
        # Remembered, because proxies repeat themselves and parsing an address takes 3 µs.
        self.trusts = lru_cache(_REMEMBERED)(self._trusts)
        self._key = lru_cache(_REMEMBERED)(self._make_key)
        self._named_by = lru_cache(_REMEMBERED)(self._named)

    def direct(self, peer: str, scheme: bytes) -> Identity:
        """Return who connects from `peer`; what its requests claim is replaced."""
        return Identity(peer, self._key(peer), _forwarding(peer.encode(), scheme), None)

    def forwarded(self, peer: str, scheme: bytes, claims: Mapping[bytes, bytes] | None) -> Identity:
        """Return whom a trusted `peer` speaks for; what the request claims is extended."""
        claims = claims or _NO_CLAIMS
        way, chain = claims.get(b"x-forwarded-for"), peer.encode()
        address = peer
        if way:
            address = self._named_by(way) or peer
            chain = way + b", " + chain
        claimed = claims.get(b"x-forwarded-proto", b"").lower()
        host = claims.get(b"x-forwarded-host")
        return Identity(
            address,
            self._key(address),
            _forwarding(chain, claimed if claimed in {b"http", b"https"} else scheme),
            host if host and is_host(host) else None,
        )

    def _trusts(self, address: str) -> bool:
        ip = _parsed(address)
        return ip is not None and any(ip in network for network in self._trusted)

    def _make_key(self, address: str) -> str:
        """One subscriber has a whole IPv6 network, so its addresses are one client."""
        ip = _parsed(address)
        if ip is not None and ip.version == 6:
            return str(ipaddress.ip_network((ip, self._ipv6_prefix), strict=False))
        return address if ip is None else str(ip)

    def _named(self, way: bytes) -> str | None:
        """Return the right-most address that is no trusted proxy: left of it all may be made up.

        None: the trusted proxy next to us names nobody that can be understood.
        """
        client = None
        for address in _hops(way):
            client = address
            if not self.trusts(address):
                break
        return client


def canonical(address: str) -> str:
    """Return an address as it is written here: no zone, and IPv4 where IPv6 only wraps it."""
    ip = _parsed(address)
    return address if ip is None else str(ip)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list like `10.0.0.0/8, ::1`.  Raises ValueError."""
    return tuple(
        ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()
    )


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def _hops(way: bytes) -> Iterator[str]:
    """Yield the addresses of X-Forwarded-For from the right, up to one that is none.

    Some proxies add the port: `192.0.2.7:4711`, `[2001:db8::7]:4711`.
    """
    for part in reversed(way.decode("latin-1").split(",")):
        text = part.strip()
        if text.startswith("["):
            text = text[1:].partition("]")[0]
        elif text.count(":") == 1:
            text = text.partition(":")[0]
        ip = _parsed(text)
        if ip is None:
            return
        yield str(ip)


def _forwarding(chain: bytes, scheme: bytes) -> bytes:
    return b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: " % (chain, scheme)

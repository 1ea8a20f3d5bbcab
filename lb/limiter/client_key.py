"""Whom a limit counts: an IPv4 address, or an IPv6 network."""

import ipaddress


def client_key(address: str, ipv6_prefix: int) -> str:
    """Return the key for a peer's `address`, as the socket gives it.

    One subscriber has a whole IPv6 network, so addresses within `ipv6_prefix` bits are one client.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, ipv6_prefix), strict=False))
    return str(ip)

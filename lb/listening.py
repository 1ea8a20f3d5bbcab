"""Sockets to listen on, and room for the connections that come."""

import errno
import resource
import socket

from lb.backend.source import Address
from lb.errors import AddressInUse, StartFailed

_BACKLOG = 2048


def listen(address: Address, variable: str, *, share_port: bool = False) -> socket.socket:
    """Return a listening socket.  `variable` names the setting, for the message of StartFailed.

    With `share_port`, several sockets of ours may have the same address.
    """
    place = f"{address.host}:{address.port}"
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartFailed(
            f"{place}: {error.strerror}. Set {variable} to an address of this machine."
        ) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(where)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(
                f"{place} is in use by another program. Stop that, or set {variable} to another "
                "address."
            ) from error
        raise StartFailed(
            f"{place} cannot be listened on: {error.strerror}. Set {variable} to another address."
        ) from error
    return sock


def raise_file_limit(wanted: int) -> None:
    """Raise the limit on open files towards `wanted`: some systems begin with 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

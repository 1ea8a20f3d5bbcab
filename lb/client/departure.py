"""Notices that a client is gone while nothing is read from it."""

import asyncio
import socket
import sys

# Linux: the peer has closed its side (CLOSE_WAIT), or reset the connection (CLOSE).
_STATES = frozenset((7, 8))


def has_departed(transport: asyncio.BaseTransport) -> bool:
    """Tell whether the peer of a transport has closed or reset it; False where nobody can tell.

    While reading is paused, neither is reported: its end comes after the bytes that wait.
    """
    if sys.platform != "linux":
        return False
    sock = transport.get_extra_info("socket")
    if sock is None:
        return False
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _STATES
    except OSError:
        return False  # not TCP

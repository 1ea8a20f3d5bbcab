"""Connections whose last answer is sent, until their peers have read it."""

import selectors
import socket
import time
from contextlib import suppress
from typing import Any

LINGER_S = 2.0
LINGER_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 65536


def see_off(sock: socket.socket) -> None:
    """Close once the peer has read the answer (RFC 9112, section 9.6).

    Say that no more comes, then read on until the peer closes too, within limits.
    """
    deadline = time.monotonic() + LINGER_S
    left = LINGER_BYTES
    with sock, suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while left > 0 and (remaining := deadline - time.monotonic()) > 0:
            sock.settimeout(remaining)
            data = sock.recv(_PIECE_BYTES)
            if not data:
                break
            left -= len(data)


class Departing:
    """Sees connections off in the server's loop, without a thread for each."""

    def __init__(self, poller: selectors.BaseSelector) -> None:
        self._poller = poller
        self._deadlines: dict[socket.socket, float] = {}
        self.ended = 0

    def add(self, sock: socket.socket, now: float) -> None:
        """Close `sock` when its peer does, or after a while."""
        sock.setblocking(False)
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        self._deadlines[sock] = now + LINGER_S
        self._poller.register(sock, selectors.EVENT_READ, self._read)

    def sweep(self, now: float) -> None:
        """Close those whose time is over."""
        for sock, deadline in tuple(self._deadlines.items()):
            if deadline > now:
                break
            self._end(sock)

    def _read(self, sock: Any) -> None:
        try:
            if sock.recv(_PIECE_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end(sock)

    def _end(self, sock: socket.socket) -> None:
        del self._deadlines[sock]
        self._poller.unregister(sock)
        sock.close()
        self.ended += 1

"""A connection from a proxy, until its PROXY protocol header tells whose it is."""

import asyncio
import socket
from collections.abc import Callable
from typing import Literal

from lb.backend.backend import Backend
from lb.client_address import canonical
from lb.proxy import Proxy
from lb.wire.proxy_protocol import MAX_LENGTH, Header, read_header

Fault = Literal["untrusted", "malformed", "late"]


class Arrival:
    """One of the proxy's clients, so that it counts as a connection, and drains and times out.

    Reads exactly the header, since what follows may be TLS.  Then calls `arrived(socket, address
    of the client)`; when there is no good header in time, closes and calls `refused(peer, why)`.
    """

    def __init__(
        self,
        proxy: Proxy,
        sock: socket.socket,
        peer: str,
        arrived: Callable[[socket.socket, str], None],
        refused: Callable[[str, Fault], None],
    ) -> None:
        self._proxy = proxy
        self._sock = sock
        self._peer = peer
        self._arrived = arrived
        self._refused = refused
        self._loop = asyncio.get_running_loop()
        self._taken = b""
        self._deadline = proxy.now + proxy.settings.header_timeout_s
        proxy.clients.add(self)
        self._read()
        if self in proxy.clients:  # else the header was there already, as it mostly is
            self._loop.add_reader(sock, self._read)

    def check(self, now: float) -> None:
        """End it when the header takes too long."""
        if now >= self._deadline:
            if self._proxy.draining:
                self.abort()
            else:
                self._refuse("late")

    def backend_silent(self, backend: Backend) -> None:
        """Nothing of it is at a backend."""

    def drain(self) -> None:
        """Let the header and the last request come soon."""
        proxy = self._proxy
        self._deadline = min(self._deadline, proxy.now + proxy.settings.drain_idle_s)

    def abort(self) -> None:
        """Close at once."""
        self._leave()
        self._sock.close()

    def _read(self) -> None:
        try:
            data = self._sock.recv(MAX_LENGTH, socket.MSG_PEEK)
            outcome = read_header(self._taken + data)
            if isinstance(outcome, Header):
                self._take(outcome.length - len(self._taken))
            elif outcome == "incomplete":
                # Else it would be readable all the time.
                self._take(len(data))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        if not data:  # gone without a word, as checks of TCP alone are
            self.abort()
        elif outcome == "malformed":
            self._refuse("malformed")
        elif isinstance(outcome, Header):
            self._leave()
            told = outcome.source
            self._arrived(self._sock, self._peer if told is None else canonical(told))

    def _take(self, size: int) -> None:
        """Take off the socket what has been seen in it."""
        while size:
            data = self._sock.recv(size)
            self._taken += data
            size -= len(data)

    def _refuse(self, fault: Fault) -> None:
        self._refused(self._peer, fault)
        self.abort()

    def _leave(self) -> None:
        self._loop.remove_reader(self._sock)
        self._proxy.clients.discard(self)

"""One connection to a backend: carries one request at a time, idle in between."""

import asyncio
from typing import Protocol, cast

from lb.wire.response import BadResponse
from lb.wire.response_reader import ResponseReader


class Carried(Protocol):
    """The request on a connection, as the connection sees it."""

    def response_arrived(self) -> None:
        """The reader has something new."""

    def response_failed(self, reason: str) -> None:
        """The backend sent what is no response; the connection is closed."""

    def backend_closed(self) -> None:
        """The connection has ended."""

    def pause_sending(self) -> None:
        """The backend reads slower than we write."""

    def resume_sending(self) -> None:
        """The backend has caught up."""


class BackendConnection(asyncio.Protocol):
    """`heard`: a byte of the current response has come.  `used`: requests carried before.

    `is_open`: connected, and not about to close.
    """

    __slots__ = ("_transport", "carried", "heard", "idle_since", "is_open", "reader", "used")

    def __init__(self, *, max_head: int) -> None:
        self._transport: asyncio.Transport | None = None
        self.reader = ResponseReader(max_head=max_head)
        self.carried: Carried | None = None
        self.heard = False
        self.used = 0
        self.idle_since = 0.0
        self.is_open = False

    def carry(self, carried: Carried, data: bytes, *, to_head: bool) -> None:
        """Begin a request, of which `data` is the first part; more may follow by write()."""
        self.carried = carried
        self.heard = False
        self.reader.expect(to_head=to_head)
        self.write(data)

    def write(self, data: bytes) -> None:
        """Send a part of the request."""
        if self.is_open and self._transport is not None:
            self._transport.write(data)

    def release(self, now: float) -> None:
        """End the request; the connection is idle from `now`."""
        self.carried = None
        self.used += 1
        self.idle_since = now

    def close(self) -> None:
        """Close at once; the request on it, if any, hears nothing more."""
        self.carried = None
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Take no more of the response: the client is slower."""
        if self.is_open and self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on taking the response."""
        if self.is_open and self._transport is not None:
            self._transport.resume_reading()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = not transport.is_closing()

    def eof_received(self) -> None:
        """Have the transport closed, which is its way when nothing is returned."""
        self.is_open = False

    def data_received(self, data: bytes) -> None:
        """Read a piece of the response."""
        carried = self.carried
        if carried is None:
            self.close()  # nothing was asked: what comes now would pass for the next answer
            return
        self.heard = True
        try:
            self.reader.feed(data)
        except BadResponse as error:
            self.close()
            carried.response_failed(str(error))
            return
        carried.response_arrived()

    def pause_writing(self) -> None:
        """Pass on that the backend is slow."""
        if self.carried is not None:
            self.carried.pause_sending()

    def resume_writing(self) -> None:
        """Pass on that the backend has caught up."""
        if self.carried is not None:
            self.carried.resume_sending()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Tell the request, if there is one."""
        carried, self.carried = self.carried, None
        self._transport = None
        self.is_open = False
        if carried is not None:
            carried.backend_closed()


async def open_connection(
    host: str, port: int, *, max_head: int, timeout_s: float
) -> BackendConnection:
    """Return a new connection.  Raises OSError, or TimeoutError after `timeout_s`."""
    async with asyncio.timeout(timeout_s):
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: BackendConnection(max_head=max_head), host, port
        )
    return connection

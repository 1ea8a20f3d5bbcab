"""A connection to the admin address: the same strict reading as for clients, small bodies."""

import asyncio
from collections.abc import Callable
from typing import cast

from lb.admin.routes import Routes
from lb.wire.problem import Problem, serialise
from lb.wire.request import Request
from lb.wire.request_reader import RequestReader

_MAX_LINE_BYTES = 4096
_MAX_HEAD_BYTES = 16384
_MAX_BODY_BYTES = 65536


class AdminConnection(asyncio.Protocol):
    """Answers each request at once; `connections` holds those that are open."""

    __slots__ = ("_connections", "_next_request_id", "_reader", "_routes", "_transport")

    def __init__(
        self,
        routes: Routes,
        next_request_id: Callable[[], bytes],
        connections: set["AdminConnection"],
    ) -> None:
        self._routes = routes
        self._next_request_id = next_request_id
        self._connections = connections
        self._reader = RequestReader(
            max_line=_MAX_LINE_BYTES, max_head=_MAX_HEAD_BYTES, max_body=_MAX_BODY_BYTES
        )
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the connection."""
        self._connections.discard(self)
        self._transport = None

    def close(self) -> None:
        """Close after what is written."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        transport, reader = self._transport, self._reader
        if transport is None or transport.is_closing():
            return
        reader.feed(data)
        while reader.requests and reader.requests[0].complete:
            request = reader.requests.popleft()
            transport.write(self._answer(request))
            if not request.keep_alive:
                transport.close()
                return
        if reader.refusal is not None:
            transport.write(serialise(reader.refusal, self._next_request_id(), close=True))
            transport.close()
        elif reader.requests and reader.requests[0].expects_continue:
            reader.requests[0].expects_continue = False
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, request: Request) -> bytes:
        request_id = request.request_id or self._next_request_id()
        with_body = request.method != b"HEAD"
        try:
            answer = self._routes.answer(request, b"".join(request.parts))
        except Problem as problem:
            return serialise(problem, request_id, close=not request.keep_alive, body=with_body)
        return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nCache-Control: no-store\r\n%b%b%b" % (
            answer.content_type.encode(),
            b"" if request.keep_alive else b"Connection: close\r\n",
            b"X-Request-ID: %b\r\nContent-Length: %d\r\n\r\n" % (request_id, len(answer.body)),
            answer.body if with_body else b"",
        )

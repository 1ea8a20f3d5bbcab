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
# An operator, a probe and a few scrapers; beyond that, somebody holds connections open.
_MOST_CONNECTIONS = 256
_IDLE_S = 60.0


class AdminConnection(asyncio.Protocol):
    """Answers one request after the other; `connections` holds those that are open."""

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
        self._answering: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, if there is room."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._connections) >= _MOST_CONNECTIONS:
            self._transport.abort()
            return
        self._connections.add(self)
        self._wait_for_bytes()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the connection."""
        self._connections.discard(self)
        self._transport = None
        if self._idle is not None:
            self._idle.cancel()

    async def close(self) -> None:
        """Close after the answers to what has come."""
        if self._answering is not None:
            await self._answering
        self._end()

    def data_received(self, data: bytes) -> None:
        """Take bytes of requests, and see to it that they are answered."""
        if self._transport is None or self._transport.is_closing():
            return
        self._wait_for_bytes()
        self._reader.feed(data)
        if self._answering is None:
            self._answering = asyncio.get_running_loop().create_task(self._answer_all())

    def _wait_for_bytes(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(_IDLE_S, self._end)

    async def _answer_all(self) -> None:
        reader = self._reader
        while reader.requests and reader.requests[0].complete:
            request = reader.requests.popleft()
            self._write(await self._answer(request))
            if not request.head.keep_alive:
                self._end()
                return
        self._answering = None
        if reader.refusal is not None:
            self._write(serialise(reader.refusal, self._next_request_id(), close=True))
            self._end()
        elif reader.requests:
            request = reader.requests[0]
            if request.head.expects_continue and not request.received:
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def _answer(self, request: Request) -> bytes:
        head = request.head
        request_id = head.request_id or self._next_request_id()
        with_body = head.method != b"HEAD"
        try:
            answer = await self._routes.answer(
                head.method.decode(),
                head.target.partition(b"?")[0].decode(),
                authorization=_authorization(head.start),
                body=b"".join(request.parts),
            )
        except Problem as problem:
            return serialise(
                problem, request_id, close=not head.keep_alive, body=with_body,
                fields=b"WWW-Authenticate: Bearer\r\n" if problem.status == 401 else b"",
            )  # fmt: skip
        return b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nCache-Control: no-store\r\n%b%b%b" % (
            answer.content_type.encode(),
            b"" if head.keep_alive else b"Connection: close\r\n",
            b"X-Request-ID: %b\r\nContent-Length: %d\r\n\r\n" % (request_id, len(answer.body)),
            answer.body if with_body else b"",
        )


def _authorization(start: bytes) -> bytes:
    """Return the value of the field in a vetted head; b"" when it is not there, or repeated."""
    values = [
        value
        for name, _, value in (line.partition(b": ") for line in start.split(b"\r\n")[1:])
        if name.lower() == b"authorization"
    ]
    return values[0] if len(values) == 1 else b""

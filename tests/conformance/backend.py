"""A backend that records every request, byte for byte, and answers as a case tells it."""

import asyncio
import threading
from dataclasses import dataclass
from typing import cast

from tests.conformance.case import Reply

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
_UNRECORDED = (b"/health/ready", b"/fence", b"/probe")
_BETWEEN_PIECES_S = 0.004


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came: its bytes, and how this backend reads them."""

    raw: bytes
    line: bytes
    fields: tuple[bytes, ...]
    body: bytes

    @property
    def summary(self) -> bytes:
        """Method, target and body, joined by spaces."""
        return b" ".join(part for part in (*self.line.split(b" ")[:2], self.body) if part)


def read_request(data: bytes) -> tuple[Seen, bytes] | None:
    """Return the first request and the rest, or None while it is not whole.

    A reader of the careless kind, so that what a proxy lets through shows its effect: the last
    Transfer-Encoding that mentions chunked counts, else the last Content-Length.
    """
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    line, *lines = head.split(b"\r\n")
    fields, length, in_chunks = [], 0, False
    for item in lines:
        name, _, value = item.partition(b":")
        name, value = name.strip().lower(), value.strip()
        fields.append(name + b": " + value)
        if name == b"transfer-encoding":
            in_chunks = b"chunked" in value.lower()
        elif name == b"content-length" and value.isdigit():
            length = int(value)
    if in_chunks:
        taken = _read_chunks(rest)
        if taken is None:
            return None
        body, after = taken
    elif len(rest) < length:
        return None
    else:
        body, after = rest[:length], rest[length:]
    raw = data[: len(data) - len(after)]
    return Seen(raw, line, tuple(fields), body), after


def _read_chunks(data: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        line, separator, data = data.partition(b"\r\n")
        if not separator:
            return None
        size = int(line.partition(b";")[0] or b"0", 16)
        if not size:
            while not data.startswith(b"\r\n"):  # trailers
                _, separator, data = data.partition(b"\r\n")
                if not separator:
                    return None
            return body, data[2:]
        if len(data) < size + 2:
            return None
        body, data = body + data[:size], data[size + 2 :]


class _Connection(asyncio.Protocol):
    def __init__(self, backend: "RecordingBackend") -> None:
        self._backend = backend
        self._data = b""
        self._early = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._backend.connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._backend.connections.discard(self)
        self._backend.writing.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._data += data
        reply = self._backend.reply
        if reply.at == "head" and not self._early and self._has_a_recorded_head():
            self._early = True
            self._answer(reply, b"")
        while (taken := read_request(self._data)) is not None:
            seen, self._data = taken
            target = seen.summary.split(b" ")[1]
            if target == b"/fence":
                # once all that has come on other connections by now has been read
                self._backend.loop.call_soon(self._answer, Reply(), target)
            elif target in _UNRECORDED:
                self._answer(Reply(), target)
            else:
                self._backend.seen.append(seen)
                if not self._early:
                    self._answer(reply, target)
            self._early = False

    def _has_a_recorded_head(self) -> bool:
        head, separator, _ = self._data.partition(b"\r\n\r\n")
        return bool(separator) and head.split(b" ")[1] not in _UNRECORDED

    def _answer(self, reply: Reply, target: bytes) -> None:
        if reply.silent:
            self._end(reply)
            return
        self._write(list(reply.pieces or (OK % (len(target), target),)), reply)

    def _write(self, pieces: list[bytes], reply: Reply) -> None:
        if self._transport is None:
            return
        self._transport.write(pieces.pop(0))
        if pieces:
            self._backend.writing.add(self)
            self._backend.loop.call_later(_BETWEEN_PIECES_S, self._write, pieces, reply)
        else:
            self._end(reply)
            self._backend.writing.discard(self)

    def _end(self, reply: Reply) -> None:
        if self._transport is None:
            return
        if reply.then == "close":
            self._transport.close()
        elif reply.then == "reset":
            self._transport.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class RecordingBackend:
    """Serves in a loop of its own thread; `seen` are the whole requests since begin().

    `writing` are the connections whose answers have further pieces to come.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.seen: list[Seen] = []
        self.reply = Reply()
        self.connections: set[_Connection] = set()
        self.writing: set[_Connection] = set()
        self.port = 0
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def begin(self, reply: Reply) -> None:
        """Forget what was seen, and answer so from now on."""
        self.seen = []
        self.reply = reply

    def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Close everything."""
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _listen(self) -> asyncio.Server:
        return await self.loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        for connection in tuple(self.connections):
            connection.abort()
        while self.connections:
            await asyncio.sleep(0)

"""Messages between the parent and a child: JSON documents, each after its length."""

import asyncio
import json
import socket
from typing import Any, Self

_LENGTH_BYTES = 4


class Channel:
    """One end of a socket pair.  Its end of file tells that the other process is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, sock: socket.socket) -> Self:
        """Return the channel over one end of a `socket.socketpair()`."""
        return cls(*await asyncio.open_unix_connection(sock=sock))

    def send(self, document: dict[str, Any]) -> None:
        """Send a document; nothing happens when nobody is there any more."""
        if not self._writer.is_closing():
            data = json.dumps(document).encode()
            self._writer.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    async def receive(self) -> dict[str, Any] | None:
        """Return the next document; None: the other end is gone."""
        try:
            length = await self._reader.readexactly(_LENGTH_BYTES)
            data = await self._reader.readexactly(int.from_bytes(length, "big"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        document: dict[str, Any] = json.loads(data)
        return document

    async def close(self) -> None:
        """Close after what was sent is taken."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return

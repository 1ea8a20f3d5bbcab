"""Answers that leave while their questions still come, without ever blocking on a reader.

Most clients send the whole body before they read a byte.  If we wrote into their full socket and
waited, they would wait for us to read and we for them.  So while the body comes, only what the
socket takes at once is sent; the rest waits in memory, and beyond that in a file.
"""

import select
import socket
import tempfile
from collections.abc import Iterator

SEND_BYTES = 8192  # a socket that is writable at all has room for this much
MEMORY_BYTES = 1024 * 1024


class AnswerBuffer:
    """Bytes on their way to the client; `client` None: it is not known, all waits for the end."""

    def __init__(self, client: socket.socket | None) -> None:
        self._waiting = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115
        self._read_at = 0
        self._written = 0
        self._poll = select.poll()
        self._client = client
        if client is not None:
            self._poll.register(client, select.POLLOUT)

    def add(self, data: bytes) -> None:
        """Take more of the answer."""
        self._waiting.seek(self._written)
        self._waiting.write(data)
        self._written += len(data)

    def sendable(self) -> Iterator[bytes]:
        """Yield what the client takes without being waited for."""
        while self._read_at < self._written and self._is_writable():
            yield self._next(SEND_BYTES)

    def rest(self) -> Iterator[bytes]:
        """Yield all that is left; the client now has nothing to do but read."""
        while self._read_at < self._written:
            yield self._next(8 * SEND_BYTES)

    def close(self) -> None:
        """Give up what has not been sent."""
        self._waiting.close()

    def _next(self, size: int) -> bytes:
        self._waiting.seek(self._read_at)
        data = self._waiting.read(size)
        self._read_at += len(data)
        if self._read_at == self._written:  # all is sent: the space can be used again
            self._waiting.seek(0)
            self._waiting.truncate()
            self._read_at = self._written = 0
        return data

    def _is_writable(self) -> bool:
        if self._client is None:
            return False
        return any(event & select.POLLOUT for _, event in self._poll.poll(0))

"""A listening socket whose connections are handed on as sockets."""

import asyncio
import socket
from collections.abc import Callable

import structlog

from lb.client_address import canonical

# So many are accepted before other events have their turn.
_BATCH = 64
# How long nothing is accepted when there is no file descriptor left.  The socket stays readable
# meanwhile, and to try again at once would take all of the processor.
_PAUSE_S = 0.25


class ProxiedListener:
    """Calls `accepted(socket, peer's address)` for each connection, until close()."""

    def __init__(
        self,
        sock: socket.socket,
        accepted: Callable[[socket.socket, str], None],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._sock = sock
        self._accepted = accepted
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._resume()

    def close(self) -> None:
        """Accept no more; what waits in the queue is for whoever else listens on it."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(_BATCH):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._log.warning("cannot accept", reason=error.strerror)
                self._loop.remove_reader(self._sock)
                self._pause = self._loop.call_later(_PAUSE_S, self._resume)
                return
            sock.setblocking(False)
            self._accepted(sock, canonical(str(address[0])))

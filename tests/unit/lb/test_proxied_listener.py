"""Connections are accepted as sockets, also after a time without file descriptors."""

import asyncio
import errno
import os
import socket
from typing import Any

import structlog
import uvloop

from lb.client.proxied_listener import ProxiedListener


class Crowded(socket.socket):
    """A listening socket for which there is no file descriptor at first."""

    attempts = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.attempts += 1
        if self.attempts == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


def test_a_connection_waits_until_there_is_a_file_descriptor_for_it() -> None:
    async def run() -> None:
        sock = Crowded(socket.AF_INET, socket.SOCK_STREAM)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sock.setblocking(False)
        came: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def accepted(taken: socket.socket, peer: str) -> None:
            taken.close()
            came.set_result(peer)

        with structlog.testing.capture_logs() as logs:
            listener = ProxiedListener(sock, accepted, structlog.get_logger())
            with socket.create_connection(sock.getsockname()):
                assert await asyncio.wait_for(came, 30) == "127.0.0.1"
        listener.close()
        assert [line["event"] for line in logs] == ["cannot accept"]
        # failed; accepted; and found the queue empty
        assert sock.attempts == 3

    uvloop.run(run())


def test_a_listener_that_is_closed_within_its_pause_stays_closed() -> None:
    async def run() -> None:
        sock = Crowded(socket.AF_INET, socket.SOCK_STREAM)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sock.setblocking(False)
        paused = asyncio.Event()

        class Log:
            def warning(self, *_: object, **__: object) -> None:
                paused.set()

        log: Any = Log()
        listener = ProxiedListener(sock, lambda *_: None, log)
        with socket.create_connection(sock.getsockname()):
            await asyncio.wait_for(paused.wait(), 60)
            listener.close()
        assert listener._pause is not None
        assert listener._pause.cancelled()

    uvloop.run(run())

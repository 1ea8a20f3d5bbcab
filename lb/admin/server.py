"""Listens at the operator's address."""

import asyncio
import socket
from collections.abc import Callable

from lb.admin.connection import AdminConnection
from lb.admin.routes import Routes


class AdminServer:
    """start() in a running loop, then stop()."""

    def __init__(
        self, sock: socket.socket, routes: Routes, next_request_id: Callable[[], bytes]
    ) -> None:
        self._socket = sock
        self._routes = routes
        self._next_request_id = next_request_id
        self._connections: set[AdminConnection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Take connections."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: AdminConnection(self._routes, self._next_request_id, self._connections),
            sock=self._socket,
        )

    async def stop(self) -> None:
        """Close after the answers that are being made."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            await connection.close()
        await asyncio.sleep(0)  # so that the transports tell that they are closed

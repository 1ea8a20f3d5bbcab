"""A client's connection, and the one to the server that goes with it."""

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass

from cli.faults.control import Side
from cli.faults.endpoint import Endpoint, prepare, reset
from cli.faults.pipe import PIECE_BYTES, Cut, Order, Pipe


@dataclass(frozen=True)
class Orders:
    """What holds for each direction at the moment."""

    to_server: Order
    to_client: Order


class Connection:
    """Runs as `task`, which ends with it."""

    def __init__(
        self,
        client: socket.socket,
        server: Endpoint,
        *,
        orders: Callable[[], Orders],
        rng: random.Random,
    ) -> None:
        self.has_hole = False
        self._client = client
        self._server = server
        self._orders = orders
        self._rng = rng
        self._sockets: dict[Side, socket.socket] = {"client": client}
        self._left: Side | None = None
        self._is_ending = False
        self._ended_in_order = False
        self._handing: asyncio.Task[bool] | None = None
        self.task = asyncio.create_task(self._run())
        # here and not in the task, which may be cancelled before its first step
        self.task.add_done_callback(lambda _: self._close())

    def cut(self) -> None:
        """Begin to end it without a goodbye."""
        # not twice, and not in the middle of its own end: its sockets would stay open
        if not self._is_ending:
            self._is_ending = True
            self.task.cancel()

    def leave(self, side: Side) -> None:
        """Close one side; to the other it looks as if that had fallen silent."""
        self._lose()
        self._left = side
        if self._handing is not None:
            self._handing.cancel()

    async def _run(self) -> None:
        try:
            prepare(self._client)
            self._sockets["server"] = await self._server.connect()
            if self._left is None:
                self._handing = asyncio.create_task(self._hand_on())
                await asyncio.wait({self._handing})
            if self._left is None and self._handing is not None:
                self._ended_in_order = self._handing.result()
            elif self._left is not None:
                await self._play_dead(self._left)
        except OSError:  # the server lets nobody in, or the silent side was reset
            pass
        finally:
            self._is_ending = True
            if self._handing is not None:
                self._handing.cancel()
                await asyncio.wait({self._handing})

    def _close(self) -> None:
        for one in self._sockets.values():
            if self._ended_in_order:
                one.close()
            else:
                reset(one)

    async def _hand_on(self) -> bool:
        """Return whether both sides ended in order."""
        client, server = self._sockets["client"], self._sockets["server"]
        up = self._pipe(client, server, lambda: self._orders().to_server)
        down = self._pipe(server, client, lambda: self._orders().to_client)
        in_order = True
        try:
            async with asyncio.TaskGroup() as together:
                together.create_task(up.read())
                together.create_task(up.write(down))
                together.create_task(down.read())
                together.create_task(down.write(up))
        except* (Cut, OSError):
            in_order = False
        return in_order

    def _pipe(
        self, source: socket.socket, target: socket.socket, order: Callable[[], Order]
    ) -> Pipe:
        return Pipe(
            source, target, order=order, has_hole=lambda: self.has_hole, lose=self._lose,
            rng=self._rng,
        )  # fmt: skip

    def _lose(self) -> None:
        self.has_hole = True

    async def _play_dead(self, side: Side) -> None:
        loop = asyncio.get_running_loop()
        reset(self._sockets.pop(side))
        other = next(iter(self._sockets.values()))
        while await loop.sock_recv(other, PIECE_BYTES):
            pass

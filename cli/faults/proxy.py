"""A proxy between clients and a server, whose connections can be spoiled at run time."""

import asyncio
import random
import socket

from cli.faults.connection import Connection, Orders
from cli.faults.control import Side
from cli.faults.endpoint import Endpoint, Listener
from cli.faults.pipe import Order
from cli.faults.rules import PASS, Rule, Rules

ACCEPT_AGAIN_S = 0.1


class Proxy:
    """Hands the connections of `listen` on to `server`.  For one event loop.

    Memory is bounded for each connection: who sends faster than the other side takes has to wait.
    """

    def __init__(self, listen: Endpoint, server: Endpoint, *, rng: random.Random) -> None:
        """Take the place to listen at.  Raises EndpointUnusable."""
        self._listener = Listener(listen)
        self._server = server
        self._rng = rng
        self._orders = Orders(
            Order(PASS.to_server, asyncio.Event()), Order(PASS.to_client, asyncio.Event())
        )
        self._accepting_on: socket.socket | None = None
        self._connections: set[Connection] = set()

    @property
    def address(self) -> Endpoint:
        """Where clients connect; the port is a real one."""
        return self._listener.endpoint

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def open(self) -> None:
        """Let clients in.  Raises EndpointUnusable."""
        if self._accepting_on is None:
            self._accepting_on = self._listener.open()
            asyncio.get_running_loop().add_reader(self._accepting_on, self._accept)

    async def close(self) -> None:
        """Cut everything and give up the place."""
        self._shut()
        await self.cut()
        self._listener.close()

    async def set(self, rules: Rules) -> None:
        """Put these rules on all connections, those to come included.

        What the rules before held back goes on at once; who lost bytes to them is cut.
        """
        self._orders = Orders(
            _next(self._orders.to_server, rules.to_server),
            _next(self._orders.to_client, rules.to_client),
        )
        if not (rules.to_server.swallow or rules.to_client.swallow):
            await _end([one for one in self._connections if one.has_hole])
        if rules.refuse:
            self._shut()
        else:
            self.open()

    async def cut(self) -> int:
        """Cut all connections; return how many there were."""
        return await _end(list(self._connections))

    def half_open(self, side: Side) -> int:
        """Close one side of all connections, tell the other nothing; return how many."""
        halved = [one for one in self._connections if not one.has_hole]
        for one in halved:
            one.leave(side)
        return len(halved)

    def _accept(self) -> None:
        if self._accepting_on is None:
            return
        try:
            client, _ = self._accepting_on.accept()
        except BlockingIOError:  # the client has gone already
            return
        except OSError:  # no file descriptor is left; the listener stays readable meanwhile
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._accepting_on)
            loop.call_later(ACCEPT_AGAIN_S, self._accept_again, self._accepting_on)
        else:
            self._admit(client)

    def _accept_again(self, accepting_on: socket.socket) -> None:
        if accepting_on is self._accepting_on:
            asyncio.get_running_loop().add_reader(accepting_on, self._accept)

    def _admit(self, client: socket.socket) -> None:
        connection = Connection(client, self._server, orders=lambda: self._orders, rng=self._rng)
        self._connections.add(connection)
        connection.task.add_done_callback(lambda _: self._connections.discard(connection))

    def _shut(self) -> None:
        if self._accepting_on is not None:
            asyncio.get_running_loop().remove_reader(self._accepting_on)
            self._accepting_on = None
        self._listener.shut()


def _next(order: Order, rule: Rule) -> Order:
    # a limit of bytes counts from the moment that it is set, be it the same as before
    if rule == order.rule and rule.cut_after_bytes is None:
        return order
    order.over.set()
    return Order(rule, asyncio.Event())


async def _end(connections: list[Connection]) -> int:
    for one in connections:
        one.cut()
    if connections:
        await asyncio.wait({one.task for one in connections})
    return len(connections)

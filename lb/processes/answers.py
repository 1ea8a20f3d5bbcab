"""What a serving process answers its parent."""

import socket
from collections.abc import Sequence
from typing import Any, Protocol

from lb.admin.decisions import Decisions
from lb.admin.explanation import explanation
from lb.admin.metrics import samples
from lb.admin.status import status
from lb.processes.channel import Channel
from lb.proxy import Proxy


class Served(Protocol):
    """The balancer of this process."""

    @property
    def proxy(self) -> Proxy:
        """What its clients share."""

    async def listen(self, slot: int, sock: socket.socket) -> None:
        """Take clients from a listening socket."""

    def ignore(self, slot: int) -> None:
        """Take no more clients from it."""

    def decide(self, decisions: Decisions) -> None:
        """Do what the operator decided."""


class Answers:
    """Questions of the parent, by name; `sockets`: the listening ones, by slot."""

    def __init__(self, served: Served, sockets: Sequence[socket.socket]) -> None:
        self._served = served
        self._sockets = sockets

    async def converse(self, channel: Channel) -> None:
        """Answer until the parent is gone."""
        while (message := await channel.receive()) is not None:
            answer = await self.answer(message["ask"], message["body"])
            channel.send({"number": message["number"], "answer": answer})

    async def answer(self, what: str, body: Any = None) -> Any:
        """Answer one question; None where there is nothing to tell."""
        served = self._served
        match what:
            case "status":
                return status(served.proxy)
            case "metrics":
                return samples(served.proxy)
            case "ready":
                return len(served.proxy.backends.ready)
            case "request":
                record = served.proxy.records.find(body.encode())
                return [] if record is None else [explanation(record, served.proxy.clock())]
            case "decide":
                served.decide(Decisions.model_validate(body))
            case "listen":
                await served.listen(body, self._sockets[body])
            case "ignore":
                served.ignore(body)
            case _:
                raise ValueError(f"no such question: {what}")
        return None

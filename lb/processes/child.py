"""A serving process, as its parent sees it."""

import asyncio
import itertools
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

from lb.admin.fleet import MemberGone
from lb.errors import StartFailed
from lb.processes.channel import Channel

Stage = Literal["starting", "serving", "draining"]


class Child:
    """A fresh interpreter that runs `python -m lb --serve`, with our sockets inherited.

    `slot`: the number of the listening socket that it accepts from.  `on_leaving` is
    told when it begins to drain, `on_farewell` its last metrics when it ends in order.
    """

    def __init__(
        self,
        slot: int,
        process: asyncio.subprocess.Process,
        channel: Channel,
        on_leaving: Callable[["Child"], None],
        on_farewell: Callable[["Child", list[dict[str, Any]]], None],
    ) -> None:
        self.slot = slot
        self.stage: Stage = "starting"
        self.started = time.monotonic()
        self.pid = process.pid
        self.drain_timeout_s = 0.0
        self.certificate_expires_at: float | None = None
        self._process = process
        self._channel = channel
        self._on_leaving = on_leaving
        self._on_farewell = on_farewell
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._prepared: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    @classmethod
    async def spawn(
        cls,
        slot: int,
        sockets: Sequence[socket.socket],
        on_leaving: Callable[["Child"], None],
        on_farewell: Callable[["Child", list[dict[str, Any]]], None],
    ) -> Self:
        """Start a process.  Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = [theirs.fileno(), *(sock.fileno() for sock in sockets)]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "lb", "--serve", ",".join(map(str, descriptors)),
                stdin=asyncio.subprocess.DEVNULL, pass_fds=descriptors,
            )  # fmt: skip
        return cls(slot, process, await Channel.over(ours), on_leaving, on_farewell)

    async def prepared(self, timeout_s: float) -> dict[str, Any]:
        """Wait until it has read its settings and checked its backends; return what it says.

        Raises StartFailed.
        """
        try:
            async with asyncio.timeout(timeout_s):
                said = await asyncio.shield(self._prepared)
        except TimeoutError:
            raise StartFailed(f"a process was not ready within {timeout_s:g} s.") from None
        if "failed" in said:
            raise StartFailed(said["failed"])
        self.drain_timeout_s = said["drain_timeout_s"]
        self.certificate_expires_at = said["certificate_expires_at"]
        return said

    async def ask(self, what: str, body: Any = None, *, timeout_s: float = 2.0) -> Any:
        """Return the answer to a question.  Raises MemberGone."""
        if self.has_ended:
            raise MemberGone(f"process {self.pid} has ended")
        number = next(self._numbers)
        future = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        self._channel.send({"number": number, "ask": what, "body": body})
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise MemberGone(f"process {self.pid} did not answer in {timeout_s:g} s") from None
        finally:
            del self._answers[number]

    @property
    def has_ended(self) -> bool:
        """Tell whether there is nobody any more."""
        return self._listener.done()

    def drain(self) -> None:
        """Let it finish what it holds, and end."""
        self.stage = "draining"
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    async def ended(self) -> int:
        """Wait for its end, and return its exit code."""
        code = await self._process.wait()
        await self._listener
        return code

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def _listen(self) -> None:
        while (message := await self._channel.receive()) is not None:
            if "number" in message:
                future = self._answers.get(message["number"])
                if future is not None and not future.done():
                    future.set_result(message["answer"])
            elif "leaving" in message:
                self.stage = "draining"
                self._on_leaving(self)
            elif "farewell" in message:
                self._on_farewell(self, message["farewell"])
            elif not self._prepared.done():
                self._prepared.set_result(message)
        if not self._prepared.done():
            self._prepared.set_result(
                {"failed": "a process ended before it was ready; standard error says why."}
            )
        for future in self._answers.values():
            if not future.done():
                future.set_exception(MemberGone(f"process {self.pid} has ended"))
        await self._channel.close()

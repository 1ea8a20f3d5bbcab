"""A fault proxy in a thread of the tests, and servers to put behind it."""

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from cli.faults.control import Side
from cli.faults.endpoint import Endpoint
from cli.faults.proxy import Proxy
from cli.faults.rules import PASS, Rules

T = TypeVar("T")
LIMIT_S = 60.0


def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


class LocalProxy:
    """A proxy that runs on an event loop of its own; called from any thread."""

    def __init__(self, listen: Endpoint, server: Endpoint, seed: int = 0) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._proxy = self._run(self._open(listen, server, seed))

    @property
    def address(self) -> Endpoint:
        """Where it listens."""
        return self._proxy.address

    @property
    def connections(self) -> int:
        """How many connections it has."""
        return self._proxy.connections

    def set(self, rules: Rules) -> None:
        """Put these rules on all connections."""
        self._run(self._proxy.set(rules))

    def reset(self) -> None:
        """Let everything pass."""
        self.set(PASS)

    def cut(self) -> int:
        """Cut all connections."""
        return self._run(self._proxy.cut())

    def half_open(self, side: Side = "server") -> int:
        """Close one side of all connections in silence."""

        async def halve() -> int:
            return self._proxy.half_open(side)

        return self._run(halve())

    def connect(self) -> socket.socket:
        """Return a client's connection through it."""
        where = self.address
        made = socket.socket(socket.AF_UNIX if where.path else socket.AF_INET)
        made.settimeout(LIMIT_S)
        try:
            made.connect(where.path or (where.host, where.port))
        except OSError:
            made.close()
            raise
        return made

    def close(self) -> None:
        """End it."""
        self._run(self._proxy.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    def __enter__(self) -> Self:
        """Nothing: it runs."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    @staticmethod
    async def _open(listen: Endpoint, server: Endpoint, seed: int) -> Proxy:
        proxy = Proxy(listen, server, rng=random.Random(seed))
        proxy.open()
        return proxy

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT_S)


class PlainServer:
    """A server of tests that hands out its side of each connection."""

    def __init__(self, path: str = "") -> None:
        self._listening = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._listening.bind(path or ("127.0.0.1", 0))
        self._listening.listen()
        self._listening.settimeout(LIMIT_S)
        name = self._listening.getsockname()
        self.address = Endpoint(path=path) if path else Endpoint(host=name[0], port=name[1])

    def accept(self) -> socket.socket:
        """Return the server's side of the next connection."""
        made, _ = self._listening.accept()
        made.settimeout(LIMIT_S)
        return made

    def close(self) -> None:
        """Stop listening."""
        self._listening.close()


def received(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes; fewer where the connection ends before."""
    got = b""
    while len(got) < size:
        try:
            read = connection.recv(size - len(got))
        except ConnectionError:
            break
        if not read:
            break
        got += read
    return got


def is_ended(connection: socket.socket) -> bool:
    """Wait for the end of a connection; tell whether it came, with nothing before it."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def is_silent(connection: socket.socket, for_s: float = 0.15) -> bool:
    """Tell whether nothing comes for a while, not even an end."""
    connection.settimeout(for_s)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(LIMIT_S)
    return False

"""A balancer and raw backends in one loop of a background thread; tests use plain sockets."""

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Literal, Self

import pytest
import uvloop

from lb.admin.fleet import Fleet
from lb.admin.overview import Overview
from lb.admin.routes import Routes
from lb.admin.server import AdminServer
from lb.listening import listen
from lb.main import Balancer
from lb.processes.answers import Answers
from lb.settings import BalancerSettings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DEADLINE_S = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.005)


class RawBackend:
    """Records the bytes of every connection but the checks', and answers as it is told.

    `answer(connection number, bytes so far)` returns what to send, b"" to wait for more, or None
    to close without a word.  `sent_close` also closes after each answer.
    """

    def __init__(self) -> None:
        self.ready = True
        self.check_fields = b""
        self.received: list[bytearray] = []
        self.closed = 0
        self.close_after = False
        self.answer: Callable[[int, bytes], bytes | None] = whole_request_then(OK)
        self.server: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.server = await asyncio.start_server(self._serve, host, port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
        for writer in tuple(self.writers):
            writer.transport.abort()

    def answer_all(self, reply: bytes) -> None:
        """Send `reply` on every connection; to be called in the loop."""
        for writer in self.writers:
            writer.write(reply)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            with suppress(ConnectionError):
                await self._talk(reader, writer)
        finally:
            self.writers.discard(writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(65536)
        if data.startswith(b"GET /health/ready "):
            status = b"200 OK" if self.ready else b"503 No"
            writer.write(
                b"HTTP/1.1 " + status + b"\r\n" + self.check_fields + b"Content-Length: 0\r\n\r\n"
            )
            return
        number = len(self.received)
        self.received.append(bytearray())
        position = 0
        while data:
            self.received[number] += data
            reply = self.answer(number, bytes(self.received[number][position:]))
            if reply is None:
                break
            if reply:
                position = len(self.received[number])
                writer.write(reply)
                await writer.drain()
                if self.close_after:
                    break
            data = await reader.read(65536)
        self.closed += 1


def whole_request_then(reply: bytes) -> Callable[[int, bytes], bytes]:
    """Return an answer function that waits for the request's end."""

    def answer(_: int, data: bytes) -> bytes:
        head, separator, body = data.partition(b"\r\n\r\n")
        if not separator:
            return b""
        if b"Transfer-Encoding: chunked" in head:
            return reply if body.endswith(b"0\r\n\r\n") else b""
        length = 0
        for line in head.split(b"\r\n"):
            if line.startswith(b"Content-Length: "):
                length = int(line.split()[1])
        return reply if len(body) >= length else b""

    return answer


class InProcess:
    """The balancer as its admin address asks it: by JSON, but in our own process."""

    def __init__(self, balancer: Balancer) -> None:
        self.pid = os.getpid()
        self.stage: Literal["starting", "serving", "draining"] = "serving"
        self._answers = Answers(balancer, [])

    async def ask(self, what: str, body: Any = None) -> Any:
        asked = json.loads(json.dumps(body))
        return json.loads(json.dumps(await self._answers.answer(what, asked)))


class Running:
    """A loop in a thread, with the balancers and backends started in it.

    `address` and `admin_address` are (host, port) once started.
    """

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.balancer: Balancer | None = None
        self.admin_server: AdminServer | None = None
        self.address = self.admin_address = ("", 0)
        self.backends: list[RawBackend] = []
        self._stopped = False

    def do(self, coroutine: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(DEADLINE_S)

    def start(self, number: int = 1, **settings: Any) -> Balancer:
        for _ in range(number):
            backend = RawBackend()
            self.do(backend.start())
            self.backends.append(backend)
        chosen: dict[str, Any] = {
            "listen": "127.0.0.1:0",
            "admin_listen": "127.0.0.1:0",
            "backends": ",".join(f"127.0.0.1:{backend.port}" for backend in self.backends),
            "rate_limit": "off",
            "check_interval_s": 0.05,
            "check_timeout_s": 60.0,
            "check_rise": 1,
            "connect_timeout_s": 60.0,
            "queue_timeout_s": 60.0,
            "eject_s": 0.05,
            "slow_start_s": 0.0,
            "panic_ratio": 0.0,
            "access_log": "off",
            "drain_timeout_s": 2.0,
            "drain_idle_s": 0.05,
        } | settings
        read = BalancerSettings(**chosen)
        balancer = Balancer(read)
        self.balancer = balancer
        self.do(balancer.watch())
        with listen(read.listen_address, "MILLRACE_LB_LISTEN") as public:
            self.address = public.getsockname()[:2]
            self.do(balancer.listen(0, public))
        self._start_admin(balancer, read)
        until(lambda: len(balancer.proxy.backends.ready) >= number, "backends are ready")
        return balancer

    def _start_admin(self, balancer: Balancer, read: BalancerSettings) -> None:
        admin = listen(read.admin_address, "MILLRACE_LB_ADMIN_LISTEN")
        self.admin_address = admin.getsockname()[:2]
        members = (InProcess(balancer),)
        routes = Routes(
            Fleet(lambda: members),
            overview=lambda: Overview(draining=balancer.proxy.draining, serving=1),
            token=read.admin_token,
        )
        self.admin_server = AdminServer(admin, routes, balancer.proxy.next_request_id)
        self.do(self.admin_server.start())

    def turn(self) -> None:
        """Wait until the loop has done what it is doing: what it sets, it tells of afterwards."""
        self.do(asyncio.sleep(0))

    def stop_balancer(self) -> None:
        if self.balancer is not None and not self._stopped:
            self._stopped = True
            if self.admin_server is not None:
                self.do(self.admin_server.stop())
            self.do(self.balancer.stop())

    def close(self) -> None:
        self.stop_balancer()
        for backend in self.backends:
            self.do(backend.stop())
        self.do(_settled())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def connect(self) -> "Connection":
        return Connection(self.address)

    def admin(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        with Connection(self.admin_address) as connection:
            payload = b"" if body is None else json.dumps(body).encode()
            connection.send(
                f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(payload)}\r\n\r\n"
            )
            connection.send(payload)
            status, fields, content = connection.response()
            if b"json" in fields[b"content-type"]:
                return status, json.loads(content)
            return status, content


async def _settled() -> None:
    """Wait until connection handlers and transports are done."""
    current = asyncio.current_task()
    while any(task is not current for task in asyncio.all_tasks()):
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.01)


class Connection:
    """A client's socket, and a reader of responses that keeps to lengths and chunks."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=DEADLINE_S)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def request(
        self, path: str = "/", method: str = "GET", body: bytes = b"", fields: str = ""
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.send(f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}{length}\r\n".encode() + body)
        return self.response(to_head=method == "HEAD")

    def more(self) -> bool:
        data = self.socket.recv(65536)
        self._buffer += data
        return bool(data)

    def rest(self) -> bytes:
        """Return all up to the end of the connection."""
        with suppress(ConnectionError):
            while self.more():
                pass
        data, self._buffer = self._buffer, b""
        return data

    def take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            assert self.more(), f"ended within {self._buffer[:300]!r}"
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def line(self, end: bytes = b"\r\n") -> bytes:
        while end not in self._buffer:
            assert self.more(), f"ended within {self._buffer[:300]!r}"
        line, _, self._buffer = self._buffer.partition(end)
        return line

    def response(self, *, to_head: bool = False) -> tuple[int, dict[bytes, bytes], bytes]:
        head = self.line(b"\r\n\r\n").split(b"\r\n")
        status = int(head[0].split()[1])
        fields = {}
        for field in head[1:]:
            name, _, value = field.partition(b": ")
            assert name.lower() not in fields, f"{name!r} is repeated"
            fields[name.lower()] = value
        body = b""
        if to_head or status in {204, 304} or status < 200:
            return status, fields, body
        if fields.get(b"transfer-encoding") == b"chunked":
            while size := int(self.line(), 16):
                body += self.take(size)
                assert self.line() == b""
            assert self.line() == b""
        elif b"content-length" in fields:
            body = self.take(int(fields[b"content-length"]))
        else:
            body = self.rest()
        return status, fields, body


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running()
    yield made
    made.close()

"""The queue over TLS, and over a server that Sentinel finds, which fails over."""

import asyncio
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import redis

from cli.embedded.place import place_for
from cli.embedded.program import Program, RunningServer
from cli.embedded.valkey import EmbeddedValkey, server_of
from tasks.client import connect
from tasks.dispatcher import Dispatcher
from tasks.errors import QueueUnavailable
from tasks.heartbeat import Workers
from tasks.settings import QueueSettings
from tests.integration.lb.running_program import certificate
from tests.integration.tasks.conftest import SHORT, Crew, eventually
from tests.integration.tasks.test_redis_dies import echoes
from tests.redis_server import given_server


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer):
        while data := await reader.read(65536):
            writer.write(data)


@contextmanager
def tls_in_front_of(path: Path, made: Path, key: Path) -> Iterator[int]:
    """Give the port of a TLS endpoint for the server at this socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(path)
        await asyncio.gather(
            _relay(reader, inner_writer), _relay(inner_reader, writer), return_exceptions=True
        )

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def test_the_queue_works_over_tls_and_trusts_nobody_else(
    valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    made, key = certificate(tmp_path, "localhost")
    with tls_in_front_of(valkey.socket, made, key) as port:
        url = f"rediss://localhost:{port}/1023"
        with (
            connect(QueueSettings(url=url, **SHORT), "test") as untrusting,
            pytest.raises(QueueUnavailable, match=r"(?i)certificate"),
        ):
            Workers(untrusting).list()
        settings = QueueSettings(url=f"{url}?ssl_ca_certs={made}", **SHORT)
        with connect(settings, "test") as client:
            client.flushdb()
            crew = Crew(settings, client, [])
            crew.start(slots=1)
            assert echoes(Dispatcher(client, settings))
            crew.stop()
            client.flushdb()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Watched:
    """A server, its replica, and a Sentinel that watches both, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._place = place_for(folder)
        self._server = given_server() or server_of(self._place)
        self.ports = [_free_port(), _free_port()]
        self.sentinel_port = _free_port()
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel_port}/main/0"

    def servers(self) -> list[RunningServer]:
        """Return the server and its replica, to be started."""
        first, second = self.ports
        return [
            self._running(first, []),
            self._running(second, ["--replicaof", f"127.0.0.1 {first}"]),
        ]

    def sentinel(self) -> RunningServer:
        """Return the Sentinel, to be started."""
        file = self._folder / "sentinel.conf"
        file.write_text(
            f"port {self.sentinel_port}\nbind 127.0.0.1\ndir {self._folder}\n"
            f"sentinel monitor main 127.0.0.1 {self.ports[0]} 1\n"
            "sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 3000\n"
        )
        return self._running(self.sentinel_port, [str(file), "--sentinel"])

    def _running(self, port: int, arguments: list[str]) -> RunningServer:
        usual = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(self._folder),
                 "--save", "", "--repl-diskless-sync-delay", "0"]  # fmt: skip
        argv = [str(self._server), *(arguments if "--sentinel" in arguments else usual + arguments)]

        def is_ready() -> bool:
            with redis.Redis(port=port, socket_timeout=1.0) as probe:
                try:
                    return bool(probe.ping())
                except redis.RedisError:
                    return False

        program = Program(f"server {port}", argv, self._folder, None, is_ready)
        return RunningServer(program, self._folder / f"{port}.log")


@pytest.fixture
def watched() -> Iterator[Watched]:
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    yield Watched(folder)
    place_for(folder).remove()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("cause", ["death", "order"])
def test_a_failover_is_followed_by_workers_and_senders(watched: Watched, cause: str) -> None:
    settings = QueueSettings(url=watched.url, socket_timeout_s=0.5, **SHORT)
    with ExitStack() as stack:
        first, second = watched.servers()
        stack.enter_context(first)
        stack.enter_context(second)
        stack.enter_context(watched.sentinel())
        asked = stack.enter_context(redis.Redis(port=watched.sentinel_port))

        def master() -> int:
            return int(asked.sentinel_master("main")["port"])

        eventually(lambda: asked.sentinel_master("main")["num-slaves"] == 1)
        client = stack.enter_context(connect(settings, "test"))
        crew = Crew(settings, client, [])
        stack.callback(crew.stop)
        crew.start(slots=1)
        dispatcher = Dispatcher(client, settings)
        assert echoes(dispatcher)
        assert master() == watched.ports[0]
        if cause == "death":
            first.kill()
        else:  # the old master lives on as a replica, which takes no writes
            asked.sentinel_failover("main")
        eventually(lambda: master() == watched.ports[1], timeout_s=40)
        eventually(lambda: echoes(dispatcher), timeout_s=40)

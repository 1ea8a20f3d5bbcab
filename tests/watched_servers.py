"""Two servers and a Sentinel, for those who are to follow a failover."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
import redis

from cli.embedded.place import place_for
from cli.embedded.program import Program, RunningServer
from cli.embedded.valkey import server_of
from tests.ports import free_port
from tests.redis_server import given_server


class Watched:
    """A server, its replica, and a Sentinel that watches both, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._place = place_for(folder)
        self._server = given_server() or server_of(self._place)
        self._servers: list[RunningServer] = []
        self.ports = [free_port(), free_port()]
        self.sentinel_port = free_port()
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel_port}/main/0"

    def master(self) -> int:
        """Return the port of the server that is master, as the Sentinel says."""
        with redis.Redis(port=self.sentinel_port) as asked:
            return int(asked.sentinel_master("main")["port"])

    def kill_master(self) -> None:
        """End the first master, and wait until the other server is."""
        self._servers[0].kill()
        _await(lambda: self.master() == self.ports[1])

    def fail_over(self) -> None:
        """Have the other server made master, while the first lives on as its replica."""
        with redis.Redis(port=self.sentinel_port) as asked:
            asked.sentinel_failover("main")
        _await(lambda: self.master() == self.ports[1])

    def __enter__(self) -> Self:
        """Start all, and wait until the Sentinel knows both servers."""
        first, second = self.ports
        replica = ["--replicaof", f"127.0.0.1 {first}"]
        self._servers = [self._running(first, []), self._running(second, replica), self._sentinel()]
        for server in self._servers:
            server.start()
        with redis.Redis(port=self.sentinel_port) as asked:
            # one that it has heard of, and not from, it would not make master
            _await(
                lambda: [
                    replica
                    for replica in asked.sentinel_slaves("main")
                    if replica["master-link-status"] == "ok"
                ]
            )
        return self

    def __exit__(self, *_: object) -> None:
        """End all."""
        for server in reversed(self._servers):
            server.stop()

    def _sentinel(self) -> RunningServer:
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


def _await(condition: Callable[[], object]) -> None:
    # a Sentinel that was held up for two seconds decides nothing for half a minute
    end = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < end, "the servers never came to that"
        time.sleep(0.02)


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Give them, running."""
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    with Watched(folder) as servers:
        yield servers
    place_for(folder).remove()
    shutil.rmtree(folder, ignore_errors=True)

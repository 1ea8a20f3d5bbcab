"""The stack under test: `millrace up`, or the containers of docker-compose.production.yml."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import psycopg

from cli.compose.docker import Docker, DockerFailed
from cli.compose.project import Project
from cli.embedded.wipe import wipe
from cli.faults.containers import KILL
from tests.e2e.balancer_client import BalancerClient
from tests.e2e.running_stack import RunningStack

ROOT = Path(__file__).resolve().parents[2]


class Stack(Protocol):
    """What the tests need of either; programs have names that outlive their processes."""

    client: BalancerClient

    def programs(self, tier: str) -> list[str]:
        """Return the names of a tier's programs: `app` or `worker`."""

    def incarnation(self, program: str) -> object:
        """Return what differs after the program has been started again."""

    def is_busy(self, worker: str) -> bool:
        """Tell whether a worker runs a fragment now."""

    def kill(self, program: str) -> None:
        """End it as a crash would."""

    def postgres(self, sql: str) -> Any:
        """Return what PostgreSQL answers by itself: one value, in JSON."""


class EmbeddedStack:
    """Three replicas and two workers under `millrace up`."""

    def __init__(self, running: RunningStack) -> None:
        self._running = running
        self.client = running.client

    def programs(self, tier: str) -> list[str]:
        names = [one.name for one in self._running.run_file().programs]
        return sorted(name for name in names if name.startswith(f"{tier}-"))

    def incarnation(self, program: str) -> object:
        return self._running.pid(program)

    def is_busy(self, worker: str) -> bool:
        pid = self._running.pid(worker)
        return any(one["pid"] == pid and one["busy"] for one in self.client.workers())

    def kill(self, program: str) -> None:
        os.kill(self._running.pid(program), signal.SIGKILL)

    def postgres(self, sql: str) -> Any:
        url = self._running.run_file().database_url
        assert url is not None
        with psycopg.connect(url) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            row = connection.execute(sql.encode()).fetchone()
        assert row is not None
        return row[0]


class ContainerStack:
    """The containers of a compose project that runs on this machine's engine."""

    def __init__(self, name: str) -> None:
        self._project = Project(Docker(), name, ROOT / "docker-compose.production.yml")
        balancer = self._project.one("lb")
        _, port = balancer.ports["8080/tcp"]
        # as the balancer reads it: its file on this machine may be anywhere
        token = self._project.docker("exec", balancer.id, "cat", "/run/secrets/admin_token")
        self.client = BalancerClient(port, token.strip())

    def programs(self, tier: str) -> list[str]:
        return [one.name for one in self._project.of(tier)]

    def incarnation(self, program: str) -> object:
        return self._inspect(program)["State"]["StartedAt"]

    def is_busy(self, worker: str) -> bool:
        host = self._inspect(worker)["Config"]["Hostname"]
        return any(one["host"] == host and one["busy"] for one in self.client.workers())

    def kill(self, program: str) -> None:
        with suppress(DockerFailed):  # with the container ends what was run in it
            self._project.docker("exec", program, *KILL)

    def postgres(self, sql: str) -> Any:
        psql = ("psql", "-U", "postgres", "-d", "millrace", "-qAt", "-c", "SET TimeZone = 'UTC'")
        told = self._project.docker("exec", self._project.one("db").id, *psql, "-c", sql)
        return json.loads(told, parse_float=Decimal)

    def _inspect(self, program: str) -> dict[str, Any]:
        [found] = self._project.docker.inspect([program])
        return found


@contextmanager
def stack_under_test() -> Iterator[Stack]:
    """Yield the containers of the project MILLRACE_COMPOSE_PROJECT, or else a stack of our own."""
    name = os.environ.get("MILLRACE_COMPOSE_PROJECT")
    if name:
        yield ContainerStack(name)
        return
    with TemporaryDirectory(prefix="mr-") as outer:
        running = RunningStack(Path(outer) / "data", MILLRACE_RATE_LIMIT="off")
        try:
            running.wait_until_running()
            yield EmbeddedStack(running)
        finally:
            running.clean()
            wipe(running.data)

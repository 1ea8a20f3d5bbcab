"""A stack in containers, for a drill."""

import random
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from cli.compose.docker import Docker, DockerFailed
from cli.compose.plugs import Plugs
from cli.compose.stack import APP_PORT, ComposeStack
from cli.drill.resources import Snapshot, of_servers
from cli.drill.target import Missing
from cli.drill.wholeness import Document, IsIt, document, of_balancer, of_replica
from cli.faults.catalogue import Fault
from cli.faults.client import client_faults
from cli.faults.containers import container_faults, mend_containers
from cli.faults.fault import Held
from cli.faults.postgresql import make_writable, session_faults
from cli.faults.redis import command_faults, limits_of

CLOCKS_APART_S = 2.0  # of the engine's machine and the worker, which are one
POLICY = "maxmemory-policy"
STATS = "{{.Name}}\t{{.MemUsage}}\t{{.PIDs}}"
AMOUNT = re.compile(r"([0-9.]+)(B|KiB|MiB|GiB)")
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
KEPT = "volatile-lru"  # which deploy/compose/redis.sh sets: anything else is a drill's doing


class ComposeTarget:
    """A stack whose compose file allows drills."""

    def __init__(self, stack: ComposeStack, plugs: Plugs, drills: Path) -> None:
        self._stack = stack
        self._plugs = plugs
        self.address = stack.address
        self.database_url = stack.database_url
        self.drills = drills

    @classmethod
    def open(cls, file: Path, project: str, drills: Path) -> Self:
        """Mend the containers, and open a way in.  Raises DrillRefused, DockerFailed."""
        docker = Docker()
        plugs = Plugs(docker, drills / f"unplugged-{project}.json")
        stack = ComposeStack.open(docker, project, file, mend=partial(mend_containers, plugs=plugs))
        return cls(stack, plugs, drills)

    def catalogue(self, rng: random.Random) -> Mapping[str, Fault]:
        """See Target."""
        stack = self._stack
        faults = [
            *container_faults(stack.project, self._plugs, rng),
            *command_faults(stack.redis_url, rng, lambda: limits_of(stack.redis_url)),
            *session_faults(stack.admin_url, rng),
            *client_faults(stack.address, rng),
        ]
        return {fault.name: fault for fault in faults}

    def mend(self) -> None:
        """See Target.  Containers were mended before there was a way in."""
        Held(
            "what an earlier drill left", 0.0,
            partial(make_writable, self._stack.admin_url), self._mend_redis,
        ).undo()  # fmt: skip

    def _mend_redis(self) -> None:
        """Restart a Redis that was told not to evict: it forgets what it was told, not its data."""
        if limits_of(self._stack.redis_url)[POLICY] != KEPT:
            self._stack.project.docker("restart", self._stack.project.one("redis").id)

    def whole(self) -> Missing:
        """See Target."""
        names = frozenset(one.name for one in self._stack.project.containers())
        balancer = self._balancer()
        serving = balancer["serving"] if balancer is not None else 1
        return lambda: list(self._missing(names, serving))

    def _missing(self, names: frozenset[str], serving: int) -> Iterator[str]:
        there = {one.name: one for one in self._stack.project.containers()}
        yield from (f"{name} is not there" for name in sorted(names - there.keys()))
        for one in there.values():
            if one.trouble is not None:
                yield one.trouble
        yield from of_balancer(self._balancer(), serving)
        workers: Mapping[str, IsIt] = {
            name: partial(_has_beaten, one.host, one.started_at)
            for name, one in there.items()
            if one.service == "worker"
        }
        replicas = [name for name, one in there.items() if one.service == "app"]
        urls = [f"http://{there[name].host}:{APP_PORT}/v1/status" for name in replicas]
        for name, status in zip(replicas, self._stack.gateway.ask(urls), strict=True):
            yield from of_replica(name, status, workers)

    def _balancer(self) -> Document | None:
        token = {"Authorization": f"Bearer {self._stack.admin_token}"}
        return document(self._stack.admin_address, "/lb/status", token)

    def snapshot(self) -> Snapshot:
        """See Target; containers are told by their memory and threads."""
        project = self._stack.project
        lines = ""
        with suppress(DockerFailed):  # one of them has just ended: then none is told this time
            running = [one.id for one in project.containers() if one.state == "running"]
            lines = project.docker("stats", "--no-stream", "--format", STATS, *running)
        servers = of_servers(self._stack.admin_url, self._stack.redis_url)
        return Snapshot({}, {**usage(lines), **servers})

    def close(self) -> None:
        """See Target."""
        self._stack.close()


def _has_beaten(host: str, started_at: float, entry: Document) -> bool:
    """Tell whether a worker's entry is of this start of its container: its host stays the same."""
    return bool(entry["host"] == host and entry["started_at"] > started_at - CLOCKS_APART_S)


def usage(lines: str) -> dict[str, int]:
    """Return bytes and threads by container, of what `docker stats` writes; `--` it left out."""
    found = {}
    for line in lines.splitlines():
        name, memory, threads = line.split("\t")
        number = AMOUNT.match(memory)
        if number is not None and threads.isdigit():
            found[f"{name} bytes"] = int(float(number[1]) * UNITS[number[2]])
            found[f"{name} threads"] = int(threads)
    return found

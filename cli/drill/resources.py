"""What the stack holds: memory, descriptors and threads of its processes, Redis, PostgreSQL."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import psutil
import psycopg
import redis

from cli.supervisor.run_file import Record

EVERY_S = 5.0
LIMIT_S = 2.0
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
_SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class "
    "WHERE relnamespace = 'millrace'::regnamespace AND relkind IN ('r', 'm')"
)


@dataclass(frozen=True)
class Usage:
    """Of one program and all processes below it; sizes in bytes, shared pages counted in each."""

    processes: int
    rss: int
    descriptors: int
    threads: int

    def most(self, other: "Usage") -> "Usage":
        """Return the greater of both, number by number."""
        return Usage(
            *(max(getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        )


@dataclass(frozen=True)
class Snapshot:
    """All at one time; None where a server did not answer."""

    programs: Mapping[str, Usage]
    servers: Mapping[str, int]

    def most(self, other: "Snapshot") -> "Snapshot":
        """Return the greater of both, number by number."""
        programs = dict(self.programs)
        for name, usage in other.programs.items():
            programs[name] = programs[name].most(usage) if name in programs else usage
        servers = dict(self.servers)
        for name, value in other.servers.items():
            servers[name] = max(servers.get(name, value), value)
        return Snapshot(programs, servers)


def usage_of(pid: int) -> Usage | None:
    """Return what a program holds; None if it has ended."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return None
    counted = [usage for usage in map(_usage, family) if usage is not None]
    return Usage(
        len(counted),
        sum(one.rss for one in counted),
        sum(one.descriptors for one in counted),
        sum(one.threads for one in counted),
    )


def _usage(process: psutil.Process) -> Usage | None:
    try:
        return Usage(1, process.memory_info().rss, process.num_fds(), process.num_threads())
    except psutil.Error:  # ended, or another's: then it is left out
        return None


def take_snapshot(programs: Sequence[Record], database_url: str, redis_url: str) -> Snapshot:
    """Look at everything; what does not answer within two seconds is left out."""
    found = {one.name: usage_of(one.pid) for one in programs}
    servers = of_servers(database_url, redis_url)
    return Snapshot({name: one for name, one in sorted(found.items()) if one}, servers)


def of_servers(database_url: str, redis_url: str) -> dict[str, int]:
    """Look at both servers; what does not answer within two seconds is left out."""
    return {**_redis(redis_url), **_postgresql(database_url)}


def _redis(url: str) -> dict[str, int]:
    try:
        with redis.Redis.from_url(
            url, socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S
        ) as client:
            memory = client.info("memory")
            return {"Redis keys": int(client.dbsize()), "Redis bytes": int(memory["used_memory"])}
    except redis.RedisError:
        return {}


def _postgresql(url: str) -> dict[str, int]:
    options = f"-c statement_timeout={int(LIMIT_S * 1000)}"
    try:
        with psycopg.connect(
            url, connect_timeout=int(LIMIT_S), options=options, application_name="millrace/drill"
        ) as connection:
            connections = connection.execute(_CONNECTIONS).fetchone()
            size = connection.execute(_SIZE).fetchone()
    except psycopg.Error:
        return {}
    return {
        "PostgreSQL connections": int(connections[0]) if connections else 0,
        "bytes of schema millrace": int(size[0]) if size else 0,
    }


class Sampler:
    """Keeps the first, the latest and the greatest of what `take` returns, every five seconds."""

    def __init__(self, take: Callable[[], Snapshot]) -> None:
        self._take = take
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.start = self.end = self.peak = take()
        # daemon: a server that hangs can hold it up
        self._thread = threading.Thread(target=self._run, name="drill-sampler", daemon=True)

    def begin(self) -> None:
        """Look again and again from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look once more, and no more."""
        self._stopping.set()
        self._thread.join(2 * LIMIT_S)
        self._look()

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        taken = self._take()
        with self._lock:
            self.end, self.peak = taken, self.peak.most(taken)

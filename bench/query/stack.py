"""PostgreSQL, and `millrace up` in front of it, with workers that may be changed at run time."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg
import redis

from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer
from cli.settings import checkout
from cli.stack.ports import free_ports
from cli.stack.probes import WorkerProbes
from cli.supervisor.run_file import RunFile
from db.migrate import migrate
from db.settings import DatabaseSettings
from tasks.redis_url import client_of

START_LIMIT_S = 90.0
STOP_LIMIT_S = 60.0
# As an administrator sets PostgreSQL for such tables; both sides use the same server.  Tables that
# are filled by the transaction that made them need no log with the least `wal_level`.
POSTGRES = {
    "max_connections": "200",
    "shared_buffers": "1GB",
    "effective_cache_size": "4GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
}
# Nothing else may run at the times of what is measured: no answer is kept, warmed or checked again.
MILLRACE = {
    "MILLRACE_RATE_LIMIT": "off",
    "MILLRACE_CACHE_TTL_S": "0",
    "MILLRACE_CACHE_WARM_QUERIES": "0",
    "MILLRACE_SELF_CHECK_SHARE": "0",
    "MILLRACE_MAX_ROWS": "1000000",
    "MILLRACE_LOG_LEVEL": "warning",
}


@dataclass(frozen=True)
class StackOptions:
    """What is started: in `folder`, which must be nobody else's; gone afterwards unless `keeps`.

    `limit_s` is the most that a query may take.
    """

    folder: Path
    apps: int = 1
    workers: int = 2
    limit_s: float = 60.0
    keeps: bool = False
    postgres: Mapping[str, str] = field(default_factory=dict)
    millrace: Mapping[str, str] = field(default_factory=dict)

    @property
    def segments(self) -> Path:
        """The folder of segments."""
        return self.folder / "segments"


class Stack:
    """A running stack; a context manager."""

    def __init__(self, options: StackOptions) -> None:
        self.options = options
        options.folder.mkdir(parents=True, exist_ok=True)
        self._place = place_for(options.folder / "database")
        self._up_folder = options.folder / "up"
        self.postgres_settings = {**POSTGRES, **options.postgres}
        self._postgres = EmbeddedPostgres(self._place, settings=self.postgres_settings)
        self.database_url = self._postgres.url()
        self.port, self._admin_port = free_ports(2)
        self._server: RunningServer | None = None
        self._up: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.redis: redis.Redis
        self.redis_url = ""

    def __enter__(self) -> Self:
        """Start all."""
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Stop all."""
        self._stop()

    @property
    def _environment(self) -> dict[str, str]:
        limit_s = self.options.limit_s
        return {
            **{name: value for name, value in os.environ.items() if name != "REDIS_URL"},
            **MILLRACE,
            "DATABASE_URL": self.database_url,
            "MILLRACE_SEGMENTS_FOLDER": str(self.options.segments),
            "MILLRACE_QUERY_TIMEOUT_S": str(limit_s),
            "MILLRACE_LB_REQUEST_TIMEOUT_S": str(limit_s + 10),
            **self.options.millrace,
        }

    def _start(self) -> None:
        folder = self.options.folder
        self._postgres.initialise()
        self._server = RunningServer(self._postgres.program(), folder / "postgres.log")
        self._server.start()
        self._postgres.ensure_database()
        migrate(self.database_url, DatabaseSettings(url=self.database_url))
        argv = [sys.executable, "-m", "cli", "up", "--data", str(self._up_folder), "--workers", "0"]
        argv += ["--apps", str(self.options.apps), "--port", str(self.port)]
        argv += ["--admin-port", str(self._admin_port)]
        said = folder / "up.txt"
        with said.open("wb") as output:
            self._up = subprocess.Popen(
                argv, cwd=checkout(), env=self._environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + START_LIMIT_S
        while "Millrace answers at" not in said.read_text():
            if self._up.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"`millrace up` did not start:\n{said.read_text()}")
            time.sleep(0.05)
        self.redis_url = RunFile(self._up_folder).read().redis_url or ""
        self.redis = client_of(self.redis_url)
        self.have_workers(self.options.workers)

    def have_workers(self, number: int) -> None:
        """Start or end workers until there are `number`, each on the queue's roll."""
        ending = self.workers[number:]
        for worker in ending:
            worker.send_signal(signal.SIGTERM)
        for worker in ending:
            worker.wait(STOP_LIMIT_S)
        del self.workers[number:]
        environment = {
            **self._environment, "REDIS_URL": self.redis_url,
            "MILLRACE_WORKER_METRICS_LISTEN": "off",
        }  # fmt: skip
        while len(self.workers) < number:
            log = self.options.folder / f"worker-{len(self.workers) + 1}.log"
            with log.open("ab") as output:
                worker = subprocess.Popen(
                    [sys.executable, "-m", "worker"], cwd=checkout(), env=environment,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip
            self.workers.append(worker)
        probes = WorkerProbes(self.redis)
        end = time.monotonic() + START_LIMIT_S
        while not all(probes.is_on_roll(worker.pid) for worker in self.workers):
            if time.monotonic() > end:
                raise SystemExit(f"Workers did not start: see {self.options.folder}/worker-*.log")
            time.sleep(0.05)

    def connect(self, **options: str) -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection of the owner, in autocommit mode."""
        settings = " ".join(f"-c {name}={value}" for name, value in options.items())
        return psycopg.connect(self.database_url, autocommit=True, options=settings)

    def keeper_memory(self) -> list[int]:
        """Return how many bytes each keeper of segments, a worker's child, has had at most."""
        return [
            _peak(child.pid)
            for worker in self.workers
            for child in psutil.Process(worker.pid).children()
        ]

    def _stop(self) -> None:
        for process in (*self.workers, self._up):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in (*self.workers, self._up):
            if process is not None:
                process.wait(STOP_LIMIT_S)
        if self._server is not None:
            self._server.stop(wait_s=STOP_LIMIT_S)
        place_for(self._up_folder).remove()
        if not self.options.keeps:
            self._place.remove()
            shutil.rmtree(self.options.segments, ignore_errors=True)


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():  # no Linux
        return int(psutil.Process(pid).memory_info().rss)
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024

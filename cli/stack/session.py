"""One run of everything: started in order by a thread of its own, ended in order by another."""

import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from cli.embedded.errors import EmbeddedServerError
from cli.errors import CommandError
from cli.settings import checkout
from cli.stack.detour import Detour
from cli.stack.folder import logs_of
from cli.stack.ports import LOOPBACK, free_ports
from cli.stack.probes import WorkerProbes
from cli.stack.programs import Programs
from cli.stack.servers import SPARE_WORKERS, Servers, choose_servers, prepare_database
from cli.supervisor.change import Change
from cli.supervisor.event_log import EventLog
from cli.supervisor.run_file import DrillRecord, RunFile
from cli.supervisor.supervisor import Stopped, Supervisor

SERVER_LIMIT_S = 120.0  # recovery after a power cut reads the log again
PROGRAM_LIMIT_S = 60.0
KEEPER_CONNECTIONS = 2  # of each worker's keeper


@dataclass(frozen=True)
class Wishes:
    """What the person asked for."""

    apps: int
    workers: int
    port: int
    admin_port: int
    data: Path
    database_url: str | None
    redis_url: str | None
    pool_size: int
    drill: bool = False
    """The stack may be harmed on purpose."""


@dataclass(frozen=True)
class Note:
    """Something to say."""

    text: str


@dataclass(frozen=True)
class Running:
    """All is healthy; `seconds` since the start.  `workers`: where their metrics are."""

    servers: Servers
    seconds: float
    workers: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """The start failed; what was started is still to be stopped."""

    error: Exception


@dataclass(frozen=True)
class Ended:
    """Nothing runs any more."""


Event = Change | Note | Running | Failed | Ended | signal.Signals
Events = queue.SimpleQueue[Event]  # the one queue that a signal handler may put to


class Session:
    """Starts and stops everything.  Whatever happens is told through `events`."""

    def __init__(
        self,
        wishes: Wishes,
        environment: dict[str, str],
        run_file: RunFile,
        events: Events,
        *,
        redis_client: Callable[[str], redis.Redis],
    ) -> None:
        self.logs = logs_of(wishes.data)
        self._wishes = wishes
        self._environment = environment
        self._run_file = run_file
        self._events = events
        self._redis_client = redis_client
        self._event_log = EventLog(self.logs / "up.log")
        self._workers: tuple[str, ...] = ()
        self._supervisor = Supervisor(self.logs, run_file, self._tell)
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin to start everything; returns at once."""
        threading.Thread(target=self._start, name="start", daemon=True).start()

    def stop(self) -> None:
        """Begin to stop everything, also while it is still starting; returns at once."""
        self._supervisor.call_off()
        threading.Thread(target=self._stop, name="stop", daemon=True).start()

    def hurry(self) -> None:
        """Stop at once."""
        self._supervisor.hurry()

    def _tell(self, change: Change) -> None:
        self._event_log.note(change)
        self._events.put(change)

    def _start(self) -> None:
        try:
            servers = self._start_servers()
            detour = self._start_detour(servers)
            self._publish(servers, detour)
            prepare_database(
                servers.database_url, servers.postgres, lambda text: self._events.put(Note(text))
            )
            self._start_programs(servers, detour)
        except Stopped:
            return
        except (CommandError, EmbeddedServerError, OSError) as error:
            self._events.put(Failed(error))
        except BaseException as error:  # a defect of ours; what was started is stopped all the same
            self._events.put(Failed(CommandError(f"the start failed: {error!r}")))
            raise
        else:
            self._events.put(Running(servers, time.monotonic() - self._began, self._workers))

    def _start_servers(self) -> Servers:
        wishes = self._wishes
        processes = wishes.apps + wishes.workers + SPARE_WORKERS
        servers = choose_servers(
            wishes.data,
            wishes.database_url,
            wishes.redis_url,
            connections=processes * (wishes.pool_size + KEEPER_CONNECTIONS),
        )
        programs = servers.programs()
        for program in programs:
            self._supervisor.add(program)
        self._supervisor.wait_healthy([program.name for program in programs], SERVER_LIMIT_S)
        return servers

    def _start_detour(self, servers: Servers) -> Detour | None:
        """Start the proxies where harm may be done: only to servers that are ours."""
        if not self._wishes.drill or servers.postgres is None or servers.valkey is None:
            return None
        detour = Detour(servers.postgres, servers.valkey, checkout())
        program = detour.program()
        self._supervisor.add(program)
        self._supervisor.wait_healthy([program.name], PROGRAM_LIMIT_S)
        return detour

    def _publish(self, servers: Servers, detour: Detour | None) -> None:
        drill = None
        if detour is not None:
            drill = DrillRecord(
                control=str(detour.control),
                address=f"http://{LOOPBACK}:{self._wishes.port}",
                admin_address=f"http://{LOOPBACK}:{self._wishes.admin_port}",
            )
        self._run_file.publish(
            database_url=servers.database_url, redis_url=servers.redis_url, drill=drill
        )

    def _start_programs(self, servers: Servers, detour: Detour | None) -> None:
        wishes = self._wishes
        way = detour or servers
        environment = {
            "MILLRACE_SEGMENTS_FOLDER": str(wishes.data.resolve() / "segments"),
            **self._environment,
            "DATABASE_URL": way.database_url,
            "REDIS_URL": way.redis_url,
            "PYTHONUNBUFFERED": "1",
        }
        probes = WorkerProbes(self._redis_client(servers.redis_url))
        programs = Programs(checkout(), environment, probes, self._supervisor.pid)
        ports = free_ports(wishes.apps + wishes.workers)
        ports, for_metrics = ports[: wishes.apps], ports[wishes.apps :]
        first = [programs.worker(number, port) for number, port in enumerate(for_metrics, 1)]
        self._workers = tuple(program.address for program in first)
        first += [programs.replica(number, port) for number, port in enumerate(ports, 1)]
        for program in first:
            self._supervisor.add(program)
        self._supervisor.wait_healthy([program.name for program in first], PROGRAM_LIMIT_S)
        balancer = programs.balancer(wishes.port, wishes.admin_port, ports)
        self._supervisor.add(balancer)
        self._supervisor.wait_healthy([balancer.name], PROGRAM_LIMIT_S)

    def _stop(self) -> None:
        try:
            self._supervisor.stop()
        finally:
            self._events.put(Ended())

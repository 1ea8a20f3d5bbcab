"""Millrace's own programs, as `millrace up` starts them."""

import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.embedded.program import Program
from cli.stack.ports import LOOPBACK
from cli.stack.probes import WorkerProbes, http_probe

WORKER_RANK = 2
REPLICA_RANK = 3
BALANCER_RANK = 4


@dataclass(frozen=True)
class Programs:
    """Describes replicas, workers and the balancer.

    `environment` is what all of them get: our own, with the URLs of PostgreSQL and Redis.
    `pid_of` tells the process id that a program has at the moment.
    """

    folder: Path
    environment: Mapping[str, str]
    worker_probes: WorkerProbes
    pid_of: Callable[[str], int | None]

    def replica(self, number: int, port: int) -> Program:
        """Return the API replica that listens on `port`."""
        listen = f"{LOOPBACK}:{port}"
        argv = [sys.executable, "-m", "gunicorn", "-c", str(self.folder / "app/gunicorn.conf.py")]
        return Program(
            f"app-{number}", [*argv, "app.main:create_app()"], self.folder, None,
            http_probe(LOOPBACK, port, "/health/ready"),
            is_alive=http_probe(LOOPBACK, port, "/health/live"),
            # gunicorn's quick end: replicas are stopped after the balancer, which has drained them
            stop_signal=signal.SIGINT,
            environment={**self.environment, "MILLRACE_APP_LISTEN": listen},
            address=listen, rank=REPLICA_RANK, stop_limit_s=45.0,
        )  # fmt: skip

    def worker(self, number: int, port: int) -> Program:
        """Return a worker with its metrics on `port`; it is healthy while it is on the roll."""
        name = f"worker-{number}"
        listen = f"{LOOPBACK}:{port}"
        return Program(
            name, [sys.executable, "-m", "worker"], self.folder, None,
            lambda: self.worker_probes.is_on_roll(self.pid_of(name)),
            is_alive=lambda: self.worker_probes.is_alive(self.pid_of(name)),
            environment={**self.environment, "MILLRACE_WORKER_METRICS_LISTEN": listen},
            address=listen, rank=WORKER_RANK, stop_limit_s=45.0,
        )  # fmt: skip

    def balancer(self, port: int, admin_port: int, replica_ports: list[int]) -> Program:
        """Return the balancer in front of these replicas."""
        environment = {
            **self.environment,
            "MILLRACE_LB_LISTEN": f"{LOOPBACK}:{port}",
            "MILLRACE_LB_ADMIN_LISTEN": f"{LOOPBACK}:{admin_port}",
            "MILLRACE_LB_BACKENDS": ",".join(f"{LOOPBACK}:{one}" for one in replica_ports),
        }
        return Program(
            "lb", [sys.executable, "-m", "lb"], self.folder, None,
            http_probe(LOOPBACK, port, "/health/ready"),  # through it: a replica answers
            is_alive=http_probe(LOOPBACK, admin_port, "/health"),
            environment=environment, address=f"http://{LOOPBACK}:{port}",
            rank=BALANCER_RANK, stop_limit_s=45.0,
        )  # fmt: skip

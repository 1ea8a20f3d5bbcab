"""The running compose project, by its command line and by the engine's."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
COMPOSE = os.environ.get("COMPOSE", "docker-compose").split()


@dataclass(frozen=True)
class Container:
    """One container; `address` is its own in the network `backend`, or empty."""

    name: str
    address: str
    started_at: datetime
    health: str

    def age_s(self) -> float:
        """Return for how long it has run."""
        return (datetime.now(UTC) - self.started_at).total_seconds()


class Stack:
    """Commands to the project of docker-compose.production.yml."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._token = (ROOT / "secrets" / "admin_token").read_text().strip()

    def compose(self, *words: str) -> str:
        """Run docker-compose; raises CalledProcessError."""
        argv = [*COMPOSE, "-f", "docker-compose.production.yml", *words]
        environment = {**os.environ, "COMPOSE_PROJECT_NAME": self._project}
        done = subprocess.run(
            argv, cwd=ROOT, check=False, capture_output=True, text=True, env=environment
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)}: {done.stderr[-2000:]}")
        return done.stdout

    def scale(self, **services: int) -> None:
        """Bring services to these numbers, without touching others."""
        scales = [word for name, of in services.items() for word in ("--scale", f"{name}={of}")]
        self.compose("up", "-d", "--no-recreate", "--no-build", *scales, *services)

    def containers(self, service: str) -> list[Container]:
        """Return the running containers of a service, by name."""
        ids = _docker(
            "ps", "-q", "--filter", f"label=com.docker.compose.project={self._project}",
            "--filter", f"label=com.docker.compose.service={service}",
        ).split()  # fmt: skip
        found = json.loads(_docker("inspect", *ids)) if ids else []
        return sorted((self._container(one) for one in found), key=lambda one: one.name)

    def psql(self, sql: str) -> str:
        """Run SQL as the superuser, and return its rows in CSV."""
        name = self.containers("db")[0].name
        argv = ["exec", name, "psql", "-U", "postgres", "-d", "millrace", "-qt", "--csv", "-c", sql]
        return _docker(*argv).strip()

    def backends(self) -> dict[str, dict[str, Any]]:
        """Return what the balancer says of each replica, by its address; none if it is away."""
        lbs = self.containers("lb")
        if not lbs:
            return {}
        try:
            answer = httpx.get(
                f"http://{lbs[0].address}:8081/lb/status", timeout=2.0,
                headers={"Authorization": f"Bearer {self._token}"},
            )  # fmt: skip
        except httpx.HTTPError:
            return {}
        return {one["id"]: one for one in answer.json()["backends"]}

    def _container(self, document: dict[str, Any]) -> Container:
        networks = document["NetworkSettings"]["Networks"]
        of_backend = networks.get(f"{self._project}_backend", {})
        return Container(
            document["Name"].lstrip("/"),
            of_backend.get("IPAddress", ""),
            datetime.fromisoformat(document["State"]["StartedAt"]),
            document["State"].get("Health", {}).get("Status", "none"),
        )


def wait_for(what: str, look: Callable[[], T], limit_s: float, every_s: float = 0.1) -> T:
    """Look until it is true; raises SystemExit when that takes too long."""
    end = time.monotonic() + limit_s
    while not (found := look()):
        if time.monotonic() > end:
            raise SystemExit(f"after {limit_s} s not yet: {what}")
        time.sleep(every_s)
    return found


def kill(names: Sequence[str]) -> None:
    """Kill containers."""
    _docker("kill", *names)


def _docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout

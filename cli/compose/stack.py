"""A stack in containers that may be harmed: where its parts answer, and with which passwords."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

from cli.compose.container import Container
from cli.compose.docker import Docker, DockerFailed
from cli.compose.gateway import Gateway
from cli.compose.project import Project

LB_PORT, LB_ADMIN_PORT, APP_PORT = 8080, 8081, 8000
POSTGRESQL_PORT, REDIS_PORT = 5432, 6379
OUTER, INNER = "frontend", "backend"


@dataclass(frozen=True)
class ComposeStack:
    """Where its parts answer; all but `address`, the public URL, through the gateway.

    `database_url`: as the programs' user; `admin_url`: as a superuser.  `admin_address`: the
    balancer's own, which wants `admin_token`.
    """

    project: Project
    gateway: Gateway
    address: str
    admin_address: str
    admin_token: str
    database_url: str
    admin_url: str
    redis_url: str

    @classmethod
    def open(
        cls, docker: Docker, project_name: str, file: Path, *, mend: Callable[[Project], None]
    ) -> Self:
        """See that it may be harmed, take back what an earlier drill left, and open a way in.

        Raises DrillRefused with the remedy, DockerFailed, DockerMissing.
        """
        project = Project(docker, project_name, file.resolve())
        project.require_permission()
        mend(project)
        app, lb, db = (_running(project.one(name)) for name in ("app", "lb", "db"))
        database = urlsplit(app.environment["DATABASE_URL"])
        redis = urlsplit(app.environment["REDIS_URL"])
        targets = {
            "postgresql": (database.hostname or "db", database.port or POSTGRESQL_PORT),
            "redis": (redis.hostname or "redis", redis.port or REDIS_PORT),
            "lb": ("lb", LB_ADMIN_PORT),
        }
        gateway = Gateway(docker, project_name, targets)
        secret = _Secrets(docker)
        password = secret.of(app, "DATABASE_PASSWORD_FILE")
        redis_password = secret.of(app, "REDIS_PASSWORD_FILE")
        admin_password = secret.of(db, "POSTGRES_PASSWORD_FILE")
        token = secret.of(lb, "MILLRACE_LB_ADMIN_TOKEN_FILE")
        gateway.open(app.image, f"{project_name}_{OUTER}", f"{project_name}_{INNER}")
        place, name = "{}:{}".format(*gateway.address("postgresql")), database.path
        admin = db.environment.get("POSTGRES_USER", "postgres")
        return cls(
            project, gateway, _public(lb), "http://{}:{}".format(*gateway.address("lb")), token,
            f"postgresql://{database.username}:{quote(password, safe='')}@{place}{name}",
            f"postgresql://{admin}:{quote(admin_password, safe='')}@{place}{name}",
            "redis://:{}@{}:{}/0".format(quote(redis_password, safe=""), *gateway.address("redis")),
        )  # fmt: skip

    def close(self) -> None:
        """Close the way in."""
        self.gateway.close()


class _Secrets:
    """Reads them where they are: in the containers that use them."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    def of(self, container: Container, variable: str) -> str:
        path = container.environment.get(variable)
        if path is None:
            raise DockerFailed(f"{container.name} has no {variable}: is this Millrace's stack?")
        return self._docker("exec", container.id, "cat", path).strip()


def _running(container: Container) -> Container:
    if container.state != "running":
        raise DockerFailed(
            f"{container.name} is {container.state}: docker start {container.name}, or what its "
            "restart policy is waiting for"
        )
    return container


def _public(lb: Container) -> str:
    ports: Mapping[str, tuple[str, int]] = lb.ports
    if f"{LB_PORT}/tcp" not in ports:
        raise DockerFailed(f"{lb.name} publishes no port {LB_PORT}: there is nobody to ask.")
    host, port = ports[f"{LB_PORT}/tcp"]
    return f"http://{'127.0.0.1' if host in {'0.0.0.0', '::', ''} else host}:{port}"  # noqa: S104

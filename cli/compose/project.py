"""The containers of one compose project, and whether they may be harmed."""

from collections.abc import Sequence
from pathlib import Path

from cli.compose.container import ALLOWED, LABEL, Container
from cli.compose.docker import Docker, DockerFailed
from cli.faults.stack import DrillRefused

HARMED = ("lb", "app", "worker", "db", "redis")  # all of them, and no others


class Project:
    """Looks at its containers anew each time: they are killed, started and scaled."""

    def __init__(self, docker: Docker, name: str, file: Path) -> None:
        self.docker = docker
        self.name = name
        self._file = file

    def containers(self) -> list[Container]:
        """Return those of the services that a drill harms, by name; also those that do not run.

        Raises DockerFailed, DockerMissing.
        """
        wanted = f"label=com.docker.compose.project={self.name}"
        for _ in range(3):
            ids = self.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", wanted).split()
            try:
                found = [Container.of(one) for one in self.docker.inspect(ids)]
            except DockerFailed:  # one of them has been removed just now
                continue
            return sorted(
                (one for one in found if one.service in HARMED and not _is_oneoff(one)),
                key=lambda one: one.name,
            )
        raise DockerFailed(f"The containers of {self.name} come and go too fast to be looked at.")

    def of(self, service: str) -> list[Container]:
        """Return the containers of one service."""
        return [one for one in self.containers() if one.service == service]

    def one(self, service: str) -> Container:
        """Return the container of a service that has one.  Raises DockerFailed."""
        found = self.of(service)
        if not found:
            raise DockerFailed(f"{self.name} has no container of the service {service}.")
        return found[0]

    def require_permission(self) -> None:
        """See that all of it may be harmed.  Raises DrillRefused with the remedy."""
        found = self.containers()
        missing = [name for name in HARMED if all(one.service != name for one in found)]
        if missing:
            raise DrillRefused(
                f"The project {self.name} has no containers of {', '.join(missing)}. Start the "
                f"stack with MILLRACE_DRILL={ALLOWED} in its .env, or name another with --project: "
                f"docker-compose -f {self._file} up -d"
            )
        others = sorted({one.name for one in found if self._file not in _files(one)})
        if others:
            raise DrillRefused(
                f"{', '.join(others)} were not started from {self._file}. Give the file that they "
                "were started from with --compose, or name another project with --project."
            )
        refused = [one.name for one in found if not one.may_be_harmed]
        if refused:
            raise DrillRefused(
                f"{', '.join(refused)} may not be harmed: the label {LABEL} is not {ALLOWED}. If "
                f"the stack is there to be harmed: write MILLRACE_DRILL={ALLOWED} into its .env, "
                f"then docker-compose -f {self._file} up -d"
            )


def _is_oneoff(container: Container) -> bool:
    return container.compose_label("oneoff").lower() == "true"


def _files(container: Container) -> Sequence[Path]:
    """Return the compose files that a container was made from."""
    folder = Path(container.compose_label("project.working_dir"))
    names = container.compose_label("project.config_files").split(",")
    return [(folder / name).resolve() for name in names if name]

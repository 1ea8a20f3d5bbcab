"""One container, as the engine described it.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

LABEL, ALLOWED = "millrace.drill", "allowed"
_COMPOSE = "com.docker.compose"
ID_CHARACTERS = 12  # of its id in names of hosts, and where people read it


@dataclass(frozen=True)
class Container:
    """`service`: of the compose file.  `networks`: by name, under which names it is found there.

    `ports`: by what it is inside (`8080/tcp`), where the machine answers (host, port).
    `has_init`: its first process only passes signals on, and can see its child being killed.
    `started_at` in seconds since 1970.
    """

    id: str
    name: str
    service: str
    host: str
    image: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    networks: Mapping[str, tuple[str, ...]]
    ports: Mapping[str, tuple[str, int]]
    state: str
    health: str | None
    has_init: bool
    started_at: float

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read one document of `docker container inspect`."""
        config, state = found["Config"], found["State"]
        settings = found["NetworkSettings"]
        networks = {
            name: tuple(one.get("Aliases") or ()) for name, one in settings["Networks"].items()
        }
        ports = {
            inside: (outside[0]["HostIp"], int(outside[0]["HostPort"]))
            for inside, outside in (settings["Ports"] or {}).items()
            if outside
        }
        health = state.get("Health")
        labels = config["Labels"] or {}
        return cls(
            found["Id"], found["Name"].lstrip("/"), labels.get(f"{_COMPOSE}.service", ""),
            config["Hostname"], found["Image"], labels,
            dict(entry.partition("=")[::2] for entry in config["Env"] or ()),
            networks, ports, state["Status"], health["Status"] if health else None,
            bool(found["HostConfig"].get("Init")), seconds_since_1970(state["StartedAt"]),
        )  # fmt: skip

    @property
    def may_be_harmed(self) -> bool:
        """Whether its service says so in the compose file."""
        return self.labels.get(LABEL) == ALLOWED

    @property
    def trouble(self) -> str | None:
        """Why it does not serve; None if it does, as far as its engine knows."""
        if self.state != "running":
            return f"{self.name} is {self.state}"
        return f"{self.name} is unhealthy" if self.health == "unhealthy" else None

    def compose_label(self, name: str) -> str:
        """Return what compose wrote down about where it comes from; empty where it has not."""
        return self.labels.get(f"{_COMPOSE}.{name}", "")


def seconds_since_1970(text: str) -> float:
    """Read the engine's time: RFC 3339 with nanoseconds."""
    whole, _, rest = text.rstrip("Z").partition(".")
    if whole.startswith("0001"):  # it never was
        return 0.0
    fraction = float(f"0.{rest}") if rest.isdigit() else 0.0
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + fraction

"""A worker's container, and another one like it.  Pure.

Compose knows its containers by their labels alone, docker-compose 1.29 and Compose v2 alike.  So
one with the labels of another, but for its number, is as if Compose had made it.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
HASH = "com.docker.compose.config-hash"
ONE_OFF = "com.docker.compose.oneoff"
REPLACES = "com.docker.compose.replace"  # the container that it took the place of

ID_CHARACTERS = 12  # of an id, in names of hosts and aliases
_THERE = frozenset({"running", "restarting", "paused"})
_NUMBERED = re.compile(r"(?P<stem>.+[_-])(?P<number>\d+)")


@dataclass(frozen=True)
class Member:
    """A container of the service, as the engine's list has it; `created` in seconds since 1970."""

    id: str
    name: str
    number: int
    state: str
    created: int

    @classmethod
    def of(cls, listed: Mapping[str, Any], project: str, service: str) -> Self | None:
        """Read one entry of the list; None unless its labels make it one of the service."""
        labels = listed.get("Labels") or {}
        number = labels.get(NUMBER, "")
        is_ours = (
            labels.get(PROJECT) == project
            and labels.get(SERVICE) == service
            and labels.get(ONE_OFF, "").lower() == "false"
            and bool(labels.get(HASH))
            and number.isdigit()
        )
        if not is_ours:
            return None
        names = listed.get("Names") or [listed["Id"][:ID_CHARACTERS]]
        return cls(
            listed["Id"], names[0].lstrip("/"), int(number), listed["State"], listed["Created"]
        )

    @property
    def is_there(self) -> bool:
        """Whether it runs, or will without anybody's doing."""
        return self.state in _THERE


@dataclass(frozen=True)
class NewContainer:
    """What to create, and how; `networks` are those to connect it to before it is started."""

    name: str
    body: Mapping[str, Any]
    networks: Mapping[str, Mapping[str, Any]]


def next_number(members: Iterable[Member]) -> int:
    """Return the number after all that are taken, as Compose does."""
    return max((one.number for one in members), default=0) + 1


def is_healthy(inspected: Mapping[str, Any]) -> bool:
    """Tell whether a container runs, and passes its check if it has one."""
    state = inspected["State"]
    health = (state.get("Health") or {}).get("Status", "none")
    return state["Status"] == "running" and health in {"healthy", "none"}


def another(inspected: Mapping[str, Any], number: int, image: str) -> NewContainer:
    """Return one like it, with another number; `image` is its image, by name or id."""
    own_id, own_name = inspected["Id"][:ID_CHARACTERS], inspected["Name"].lstrip("/")
    config = copy.deepcopy(dict(inspected["Config"]))
    service = config["Labels"][SERVICE]
    name = _renumbered(own_name, number) or f"{config['Labels'][PROJECT]}-{service}-{number}"
    config.pop("MacAddress", None)
    if config.get("Hostname") == own_id:
        del config["Hostname"]  # each has its own id for a name
    config["Image"] = image
    config["Labels"] = {
        key: value for key, value in config["Labels"].items() if key != REPLACES
    } | {NUMBER: str(number)}
    endpoints = {
        network: _endpoint(settings, service, {own_id: None, own_name: name})
        for network, settings in inspected["NetworkSettings"]["Networks"].items()
    }
    host = copy.deepcopy(dict(inspected["HostConfig"]))
    # before API 1.44 a container can be created in one network alone
    first = host.get("NetworkMode")
    if first not in endpoints:
        first = min(endpoints, default=None)
    body = config | {"HostConfig": host}
    if first is not None:
        body["NetworkingConfig"] = {"EndpointsConfig": {first: endpoints[first]}}
    others = {network: one for network, one in endpoints.items() if network != first}
    return NewContainer(name, body, others)


def _renumbered(name: str, number: int) -> str | None:
    found = _NUMBERED.fullmatch(name)
    return f"{found['stem']}{number}" if found else None


def _endpoint(
    settings: Mapping[str, Any], service: str, renamed: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return how a network knows it: by the service's names, and by no address of another's."""
    given = [renamed.get(alias, alias) for alias in settings.get("Aliases") or ()]
    aliases = dict.fromkeys([*(alias for alias in given if alias), service])
    endpoint: dict[str, Any] = {"Aliases": list(aliases)}
    for key in ("Links", "DriverOpts"):
        if settings.get(key):
            endpoint[key] = settings[key]
    return endpoint

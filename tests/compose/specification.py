"""The part of the Compose specification that our file uses, as a schema; and a check against it.

Written from the specification's text (sections services, networks, volumes, secrets): which members
there are, and which form their values have.  docker-compose 1.29 knows all of these too, but for
what `NEWER` names.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Check = Callable[[str, Any], Iterator[str]]

# in the specification, and refused by docker-compose 1.29
NEWER = frozenset({"name", "include", "models", "develop", "attach", "annotations", "provider"})

_DURATION = re.compile(r"(\d+(us|ms|s|m|h))+")
_BYTES = re.compile(r"\d+(\.\d+)?(b|k|kb|m|mb|g|gb)?", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(\.\d+)?")
_PORT = re.compile(r"((\d{1,3}\.){3}\d{1,3}:)?\d{1,5}:\d{1,5}(/(tcp|udp))?")
_SUBNET = re.compile(r"(\d{1,3}\.){3}\d{1,3}/\d{1,2}")


def matching(pattern: re.Pattern[str], what: str) -> Check:
    """Return a check that takes numbers and strings of a form."""

    def check(place: str, value: Any) -> Iterator[str]:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number or isinstance(value, str)) or not pattern.fullmatch(str(value)):
            yield f"{place}: {value!r} is no {what}"

    return check


def of_type(*types: type) -> Check:
    """Return a check for values of some types; a truth value is no number."""

    def check(place: str, value: Any) -> Iterator[str]:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            yield f"{place}: {value!r} is not of type {' or '.join(one.__name__ for one in types)}"

    return check


def one_of(*values: str) -> Check:
    """Return a check for some words."""

    def check(place: str, value: Any) -> Iterator[str]:
        if value not in values:
            yield f"{place}: {value!r} is none of {', '.join(values)}"

    return check


def list_of(item: Check, *, of_different: bool = True) -> Check:
    """Return a check for lists; `of_different`: nothing may be there twice."""

    def check(place: str, value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{place}: {value!r} is no list"
            return
        if of_different and len({str(one) for one in value}) < len(value):
            yield f"{place}: an item is there twice"
        for number, one in enumerate(value):
            yield from item(f"{place}[{number}]", one)

    return check


def map_of(item: Check) -> Check:
    """Return a check for members of any name."""

    def check(place: str, value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{place}: {value!r} has no members"
            return
        for name, one in value.items():
            yield from item(f"{place}.{name}", one)

    return check


def members(known: Mapping[str, Check], required: frozenset[str] = frozenset()) -> Check:
    """Return a check for members of these names; others must begin with `x-`."""

    def check(place: str, value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{place}: {value!r} has no members"
            return
        for name in required - set(value):
            yield f"{place}: {name} is missing"
        for name, one in value.items():
            if name in known:
                yield from known[name](f"{place}.{name}", one)
            elif not str(name).startswith("x-"):
                yield f"{place}: {name} is no member"

    return check


def empty_or(check_of: Check) -> Check:
    """Return a check that lets nothing at all pass, too."""

    def check(place: str, value: Any) -> Iterator[str]:
        if value is not None:
            yield from check_of(place, value)

    return check


TEXT = of_type(str)
BOOLEAN = of_type(bool)
INTEGER = of_type(int)
DURATION = matching(_DURATION, "duration")
SIZE = matching(_BYTES, "number of bytes")
NUMBER = matching(_NUMBER, "number")
STRINGS = list_of(TEXT)
WORDS = list_of(TEXT, of_different=False)
ENVIRONMENT = map_of(of_type(str, int, float, type(None)))
CONDITION = one_of("service_started", "service_healthy", "service_completed_successfully")

SERVICE = members(
    {
        "build": members(
            {"context": TEXT, "dockerfile": TEXT, "target": TEXT, "args": ENVIRONMENT},
            frozenset({"context"}),
        ),
        "cap_add": STRINGS,
        "cap_drop": STRINGS,
        "command": WORDS,
        "cpus": NUMBER,
        "depends_on": map_of(members({"condition": CONDITION}, frozenset({"condition"}))),
        "entrypoint": WORDS,
        "group_add": STRINGS,
        "environment": ENVIRONMENT,
        "healthcheck": members(
            {
                "test": WORDS,
                "interval": DURATION,
                "timeout": DURATION,
                "retries": INTEGER,
                "start_period": DURATION,
            },
            frozenset({"test"}),
        ),
        "image": TEXT,
        "init": BOOLEAN,
        "logging": members({"driver": TEXT, "options": map_of(of_type(str, int))}),
        "labels": ENVIRONMENT,
        "mem_limit": SIZE,
        "mem_reservation": SIZE,
        "networks": STRINGS,
        "ports": list_of(matching(_PORT, "published port")),
        "profiles": STRINGS,
        "read_only": BOOLEAN,
        "restart": one_of("no", "always", "on-failure", "unless-stopped"),
        "scale": INTEGER,
        "secrets": STRINGS,
        "security_opt": STRINGS,
        "shm_size": SIZE,
        "stop_grace_period": DURATION,
        "tmpfs": STRINGS,
        "user": TEXT,
        "volumes": STRINGS,
    }
)
SUBNETS = list_of(members({"subnet": matching(_SUBNET, "subnet")}, frozenset({"subnet"})))
FILE = members(
    {
        "services": map_of(SERVICE),
        "networks": map_of(
            empty_or(members({"internal": BOOLEAN, "ipam": members({"config": SUBNETS})}))
        ),
        "volumes": map_of(empty_or(members({}))),
        "secrets": map_of(members({"file": TEXT}, frozenset({"file"}))),
    },
    frozenset({"services"}),
)


def faults(document: Mapping[str, Any]) -> list[str]:
    """Return what of a compose file, its variables replaced, is against the specification."""
    found = list(FILE("file", document))
    found += [f"{name} is newer than docker-compose 1.29" for name in NEWER & set(document)]
    for name, service in document["services"].items():
        found += [f"{name}: {one} is newer than 1.29" for one in NEWER & set(service)]
        for kind in ("networks", "secrets"):
            unknown = set(service.get(kind, [])) - set(document.get(kind, {}))
            found += [f"{name}: {kind} has no {one}" for one in unknown]
        unknown = set(service.get("depends_on", {})) - set(document["services"])
        found += [f"{name}: depends on {one}, which is no service" for one in unknown]
        if "image" not in service and "build" not in service:
            found.append(f"{name}: neither image nor build")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not source.startswith((".", "/")) and source not in document.get("volumes", {}):
                found.append(f"{name}: there is no volume {source}")
    return found

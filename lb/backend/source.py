"""Where backends are: written down, behind a name looked up again and again, or in a file."""

import re
from dataclasses import dataclass

_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>\d{1,5})"
)
_WEIGHT = re.compile(r"weight=(\d{1,3})")

# As HAProxy has it; a larger one would only make the lesser backends' turns rarer.
MOST_WEIGHT = 256


@dataclass(frozen=True)
class Address:
    """A host, as an address or a name, and a port."""

    host: str
    port: int


@dataclass(frozen=True)
class Listed:
    """One backend.  `weight`, 1 to 256: its share of the requests beside the others'."""

    address: Address
    weight: int = 1


@dataclass(frozen=True)
class Name:
    """A name of which each address is a backend with this weight."""

    address: Address
    weight: int = 1


@dataclass(frozen=True)
class ListFile:
    """A file with one backend a line."""

    path: str


Source = Listed | Name | ListFile


def parse_address(text: str) -> Address:
    """Return the address written as `host:port` or `[IPv6]:port`.  Raises ValueError."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f"{text.strip()!r} is no host:port, like 127.0.0.1:8000 or [::1]:8000")
    return Address(match["v6"] or match["host"], int(match["port"]))


def parse_listed(text: str) -> Listed:
    """Return the backend written as `host:port` or `host:port weight=n`.  Raises ValueError."""
    words = text.split()
    if not words:
        raise ValueError("an address is missing; give host:port")
    address, rest = parse_address(words[0]), words[1:]
    if not rest:
        return Listed(address)
    match = _WEIGHT.fullmatch(rest[0])
    if len(rest) > 1 or match is None or not 1 <= int(match[1]) <= MOST_WEIGHT:
        raise ValueError(
            f"{' '.join(rest)!r} after {words[0]} is no weight=n with n from 1 to {MOST_WEIGHT}"
        )
    return Listed(address, int(match[1]))


def parse_sources(text: str) -> tuple[Source, ...]:
    """Return the sources in a comma-separated list.

    Of `host:port`, `dns://name:port` (both may be followed by ` weight=n`) and `file:///path`.
    Raises ValueError when one is malformed, or none is there.
    """
    sources: list[Source] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        if item.startswith("file://"):
            path = item.removeprefix("file://")
            if not path.startswith("/"):
                raise ValueError(f"{item!r} is no file:// with an absolute path")
            sources.append(ListFile(path))
        elif item.startswith("dns://"):
            listed = parse_listed(item.removeprefix("dns://"))
            sources.append(Name(listed.address, listed.weight))
        else:
            sources.append(parse_listed(item))
    if not sources:
        raise ValueError(
            "names no backend; give host:port,host:port or dns://name:port or file:///path"
        )
    return tuple(dict.fromkeys(sources))


def parse_list(text: str) -> tuple[Listed, ...]:
    """Return the backends of a list file: one a line; `#` begins a comment.

    Raises ValueError, which names the line.  An empty list is malformed too: a file that is being
    written, or was truncated, must not take all backends away.
    """
    found: list[Listed] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if content:
            try:
                found.append(parse_listed(content))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    if not found:
        raise ValueError("it names no backend")
    return tuple(found)

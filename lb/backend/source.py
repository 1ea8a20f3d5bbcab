"""Where backends are: written down, or behind a name that is looked up again and again."""

import re
from dataclasses import dataclass

_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>\d{1,5})"
)


@dataclass(frozen=True)
class Address:
    """A host, as an address or a name, and a port."""

    host: str
    port: int


@dataclass(frozen=True)
class Source:
    """An address of one backend; or, with `resolve`, a name of which each address is a backend."""

    address: Address
    resolve: bool


def parse_address(text: str) -> Address:
    """Return the address written as `host:port` or `[IPv6]:port`.  Raises ValueError."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f"{text.strip()!r} is no host:port, like 127.0.0.1:8000 or [::1]:8000")
    return Address(match["v6"] or match["host"], int(match["port"]))


def parse_sources(text: str) -> tuple[Source, ...]:
    """Return the sources in a comma-separated list of `host:port` and `dns://name:port`.

    Raises ValueError when one is malformed, or none is there.
    """
    sources = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        resolve = item.startswith("dns://")
        sources.append(Source(parse_address(item.removeprefix("dns://")), resolve))
    if not sources:
        raise ValueError("names no backend; give host:port,host:port or dns://name:port")
    return tuple(dict.fromkeys(sources))

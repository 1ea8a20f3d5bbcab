"""Where the shared windows are."""

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

_PORT = 6379


class RedisAddress(NamedTuple):
    """A TCP address, or a unix socket when `path` is given."""

    host: str
    port: int
    path: str
    username: str
    password: str
    database: int

    def __str__(self) -> str:
        """For messages: without the password."""
        return f"unix://{self.path}" if self.path else f"redis://{self.host}:{self.port}"


def parse_redis_url(url: str) -> RedisAddress:
    """Parse redis://user:password@host:port/0 or unix:///path?db=0.  Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "redis" and parts.hostname:
        path, database = "", parts.path.lstrip("/")
    elif parts.scheme == "unix" and parts.path:
        path, database = unquote(parts.path), ""
    else:
        raise ValueError("write it as redis://host:6379/0 or unix:///path?db=0")
    database = parse_qs(parts.query).get("db", [database])[0] or "0"
    if not database.isdecimal():
        raise ValueError(f"{database!r} is no number of a database")
    return RedisAddress(
        parts.hostname or "", parts.port or _PORT, path,
        unquote(parts.username or ""), unquote(parts.password or ""), int(database),
    )  # fmt: skip

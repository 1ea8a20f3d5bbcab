"""The forms of REDIS_URL, and a client for each.

redis://, rediss:// (TLS) and unix:// are those of redis-py, with its parameters.  With Sentinel:

    redis+sentinel://user:password@host:26379,host:26379/service/0?sentinel_password=…
    rediss+sentinel://…

User and password are those of the server; the last part of the path is the numbered database.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import redis
from redis.connection import parse_url
from redis.sentinel import Sentinel

PLAIN = ("redis", "rediss", "unix")
WATCHED = ("redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379
FORMS = "redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://"
_OURS = {"protocol", "decode_responses"}  # how replies are read is the caller's business


@dataclass(frozen=True)
class WatchedServer:
    """A server that is found by asking Sentinels for `service`.

    `options` are arguments of redis-py for connections to the server, `sentinel_options` for those
    to the Sentinels.
    """

    sentinels: tuple[tuple[str, int], ...]
    service: str
    options: Mapping[str, Any]
    sentinel_options: Mapping[str, Any]


def check_url(url: str) -> None:
    """Raise ValueError, with what is wrong, for a URL that no client can be made of."""
    parts = urlsplit(url)
    if parts.scheme in WATCHED:
        parse_watched(url)
    elif parts.scheme in PLAIN:
        parse_url(url)  # type: ignore[no-untyped-call]
    else:
        raise ValueError(f"write it as {FORMS}")
    ours = _OURS & dict(parse_qsl(parts.query)).keys()
    if ours:
        raise ValueError(f"must not set {' and '.join(sorted(ours))}")


def client_of(url: str, **options: Any) -> redis.Redis:
    """Return a client; nothing is connected yet.

    `options` are arguments of redis-py; its time limits and retries hold for Sentinels, too.  A
    client of Sentinels asks them at each new connection, and gives up those to a server that is no
    master any more: so it follows a failover.  Raises ValueError.
    """
    if urlsplit(url).scheme not in WATCHED:
        client: redis.Redis = redis.Redis.from_url(url, **options)
        return client
    watched = parse_watched(url)
    limits = {
        name: value
        for name, value in options.items()
        if name.startswith("socket_") or name == "retry"
    }
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        watched.sentinels, sentinel_kwargs={**watched.sentinel_options, **limits}
    )
    master: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        watched.service, **{**watched.options, **options}
    )
    return master


def parse_watched(url: str) -> WatchedServer:
    """Parse redis+sentinel://… or rediss+sentinel://….  Raises ValueError."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not hosts or not service:
        raise ValueError("write it as redis+sentinel://host:26379,host:26379/service/0")
    if database and not database.isdecimal():
        raise ValueError(f"{database!r} is no number of a database")
    query = parse_qsl(parts.query)
    of_sentinels = {
        name.removeprefix("sentinel_"): value
        for name, value in query
        if name in {"sentinel_username", "sentinel_password"}
    }
    others = urlencode([pair for pair in query if not pair[0].startswith("sentinel_")])
    plain = parts.scheme.removesuffix("+sentinel")
    server = f"{plain}://{user}{at}server/{database or 0}?{others}"
    options = parse_url(server)  # type: ignore[no-untyped-call]
    for name in ("host", "connection_class"):
        options.pop(name, None)
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    if plain == "rediss":
        tls["ssl"] = True
    return WatchedServer(
        tuple(_address(host) for host in hosts.split(",")),
        unquote(service),
        {**options, **tls},
        {**of_sentinels, **tls},
    )


def _address(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname:
        raise ValueError(f"{text!r} is no address of a Sentinel: write host:port")
    return parts.hostname, parts.port or SENTINEL_PORT

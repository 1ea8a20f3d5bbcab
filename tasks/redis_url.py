"""The forms of REDIS_URL, and a client for each.

redis://, rediss:// (TLS) and unix:// are those of redis-py, with its parameters.  With Sentinel:

    redis+sentinel://user:password@host:26379,host:26379/service/0?sentinel_password=…
    rediss+sentinel://…

User and password are those of the server; the last part of the path is the numbered database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import redis
from redis.connection import parse_url
from redis.sentinel import Sentinel

PLAIN = ("redis", "rediss", "unix")
WATCHED = ("redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379
FORMS = "redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://"
# RFC 3986, appendix B: urllib takes no list of hosts with brackets in it
_URL = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
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
    parts = _parts(url)
    if parts.scheme in WATCHED:
        parse_watched(url)
    elif parts.scheme in PLAIN:
        parse_url(url)  # type: ignore[no-untyped-call]
    else:
        raise ValueError(f"write it as {FORMS}")
    ours = _OURS & dict(parse_qsl(parts.query)).keys()
    if ours:
        raise ValueError(f"must not set {' and '.join(sorted(ours))}")


def with_password(url: str, password: str) -> str:
    """Return the URL with the server's password, unless it has one already."""
    parts = _parts(url)
    user, _, hosts = parts.netloc.rpartition("@")
    if ":" in user or "password" in dict(parse_qsl(parts.query)):
        return url
    told = f"//{user}:{quote(password, safe='')}@{hosts}"
    return url.replace(f"//{parts.netloc}", told, 1)


def client_of(url: str, **options: Any) -> redis.Redis:
    """Return a client; nothing is connected yet.

    `options` are arguments of redis-py; its time limits and retries hold for Sentinels, too.  A
    client of Sentinels asks them at each new connection, and gives up those to a server that is no
    master any more: so it follows a failover.  Raises ValueError.
    """
    if _parts(url).scheme not in WATCHED:
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
    parts = _parts(url)
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


class _Parts(NamedTuple):
    scheme: str
    netloc: str
    path: str
    query: str


def _parts(url: str) -> _Parts:
    scheme, netloc, path, query = _URL.findall(url)[0]
    return _Parts(scheme.lower(), netloc, path, query)


def _address(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname:
        raise ValueError(f"{text!r} is no address of a Sentinel: write host:port")
    return parts.hostname, parts.port or SENTINEL_PORT

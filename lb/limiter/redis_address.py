"""Where the shared windows are."""

import re
import ssl
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

_PORT = 6379
_SENTINEL_PORT = 26379
_FORMS = (
    "write it as redis://host:6379/0, rediss://host:6379/0, unix:///path?db=0 or "
    "redis+sentinel://host:26379,host:26379/service/0"
)
# RFC 3986, appendix B: urllib takes no list of hosts with brackets in it
_URL = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
_NO = {"no", "false", "0"}


@dataclass(frozen=True)
class RedisAddress:
    """A TCP address, or a unix socket when `path` is given.

    With `sentinels`, the address is what they say of `service`, and user and password are those of
    the server; `sentinel_username` and `sentinel_password` are theirs.  `tls` holds for all.
    """

    host: str = ""
    port: int = _PORT
    path: str = ""
    username: str = ""
    password: str = ""
    database: int = 0
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_username: str = ""
    sentinel_password: str = ""
    tls: bool = False
    ca_file: str = ""
    checks_host: bool = True

    def __str__(self) -> str:
        """For messages: without passwords."""
        if self.path:
            return f"unix://{self.path}"
        scheme = "rediss" if self.tls else "redis"
        if self.sentinels:
            hosts = ",".join(_shown(host, port) for host, port in self.sentinels)
            return f"{scheme}+sentinel://{hosts}/{self.service}"
        return f"{scheme}://{_shown(self.host, self.port)}"

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what TLS connections are made with; None: none are.  Raises OSError."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.ca_file or None)
        context.check_hostname = self.checks_host
        return context


def parse_redis_url(url: str) -> RedisAddress:
    """Parse one of the forms that the message names.  Raises ValueError."""
    scheme, netloc, whole_path, query = _URL.findall(url)[0]
    given = {name: values[0] for name, values in parse_qs(query).items()}
    plain, _, watched = scheme.lower().partition("+")
    user, _, hosts = netloc.rpartition("@")
    name, _, password = user.partition(":")
    host, port, service = "", _PORT, ""
    path, database = "", whole_path.strip("/")
    sentinels: tuple[tuple[str, int], ...] = ()
    if plain == "unix" and whole_path and not watched:
        path, database = unquote(whole_path), ""
    elif plain in {"redis", "rediss"} and watched == "sentinel" and hosts:
        sentinels = tuple(_host_and_port(one, _SENTINEL_PORT) for one in hosts.split(","))
        service, _, database = database.partition("/")
        if not service:
            raise ValueError(_FORMS)
    elif plain in {"redis", "rediss"} and not watched:
        host, port = _host_and_port(hosts, _PORT)
    else:
        raise ValueError(_FORMS)
    database = given.get("db", database) or "0"
    if not database.isdecimal():
        raise ValueError(f"{database!r} is no number of a database")
    return RedisAddress(
        host, port, path, unquote(name), unquote(password), int(database), sentinels,
        unquote(service), given.get("sentinel_username", ""), given.get("sentinel_password", ""),
        plain == "rediss", given.get("ssl_ca_certs", ""),
        given.get("ssl_check_hostname", "yes").lower() not in _NO,
    )  # fmt: skip


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host_and_port(text: str, usual: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname:
        raise ValueError(_FORMS)
    return parts.hostname, parts.port or usual

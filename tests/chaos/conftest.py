"""Fault proxies in front of the session's PostgreSQL and Valkey, and of plain servers."""

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.valkey import EmbeddedValkey
from cli.faults.endpoint import Endpoint
from db.database import Database
from db.reader import reader_database
from db.settings import DatabaseSettings
from tests.chaos.local_proxy import LocalProxy, PlainServer, until
from tests.chaos.pooled import answers

ANY_PORT = Endpoint(host="127.0.0.1", port=0)
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="mrp-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fault_proxy() -> Iterator[Callable[[Endpoint, Endpoint], LocalProxy]]:
    """Make proxies, from where they listen to the server behind; all are closed after the test."""
    with contextlib.ExitStack() as open_proxies:
        yield lambda listen, server: open_proxies.enter_context(LocalProxy(listen, server))


@dataclass
class Line:
    """A proxy with a server of the test behind it."""

    proxy: LocalProxy
    server: PlainServer
    _open: contextlib.ExitStack

    def pair(self) -> Pair:
        """Return the two ends of a new connection: the client's and the server's."""
        client = self._open.enter_context(self.proxy.connect())
        return client, self._open.enter_context(self.server.accept())


@pytest.fixture(params=["tcp", "unix"])
def line(
    request: pytest.FixtureRequest,
    short_folder: Path,
    fault_proxy: Callable[[Endpoint, Endpoint], LocalProxy],
) -> Iterator[Line]:
    """A proxy with both its sides on TCP, or both on Unix sockets."""
    is_tcp = request.param == "tcp"
    listen = ANY_PORT if is_tcp else Endpoint(path=str(short_folder / "proxy"))
    server = PlainServer("" if is_tcp else str(short_folder / "server"))
    with contextlib.ExitStack() as opened, contextlib.closing(server):
        yield Line(fault_proxy(listen, server.address), server, opened)


@pytest.fixture
def postgres_proxy(
    postgres: EmbeddedPostgres, fault_proxy: Callable[[Endpoint, Endpoint], LocalProxy]
) -> LocalProxy:
    """A proxy on TCP in front of the session's PostgreSQL."""
    return fault_proxy(ANY_PORT, Endpoint(path=str(postgres.sockets / ".s.PGSQL.5432")))


@pytest.fixture
def valkey_proxy(
    valkey: EmbeddedValkey, fault_proxy: Callable[[Endpoint, Endpoint], LocalProxy]
) -> LocalProxy:
    """A proxy on TCP in front of the session's Valkey."""
    return fault_proxy(ANY_PORT, Endpoint(path=str(valkey.socket)))


@pytest.fixture
def far_database_url(database_url: str, postgres_proxy: LocalProxy) -> str:
    """URL of a new, empty database, through the proxy."""
    name, where = urlsplit(database_url).path[1:], postgres_proxy.address
    return f"postgresql://millrace@{where.host}:{where.port}/{quote(name)}"


@pytest.fixture
def far_redis_url(redis_url: str, valkey_proxy: LocalProxy) -> str:
    """URL of an empty numbered database, through the proxy."""
    number, where = urlsplit(redis_url).query.removeprefix("db="), valkey_proxy.address
    return f"redis://{where.host}:{where.port}/{number}"


@pytest.fixture
def database(far_database_url: str) -> Iterator[Database]:
    """A pool like the replica's, which tries again soon."""
    settings = DatabaseSettings(
        url=far_database_url, pool_size=2, pool_wait_s=30.0, connect_timeout_s=30,
        statement_timeout_s=30.0, breaker_reset_s=0.05, breaker_reset_max_s=0.05,
        breaker_slow_s=30.0,
    )  # fmt: skip
    with reader_database(settings, "test", url=far_database_url) as database:
        until(lambda: answers(database))
        yield database

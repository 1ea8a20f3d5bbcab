"""Shared limits over TLS, and over a server that Sentinel finds, which fails over."""

from pathlib import Path

import pytest
import structlog
import uvloop

from cli.embedded.valkey import EmbeddedValkey
from lb.errors import StartFailed
from lb.limiter.redis_address import parse_redis_url
from lb.limiter.wiring import make_limiter
from lb.settings import BalancerSettings
from tests.integration.lb.running_program import certificate
from tests.integration.lb.test_shared_limits import balancers, condition, known, modes, passed
from tests.tls_relay import tls_in_front_of
from tests.watched_servers import Watched, watched  # noqa: F401 - a fixture


def test_balancers_share_limits_over_tls(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    made, key = certificate(tmp_path, "localhost")

    async def run(port: int) -> None:
        url = f"rediss://localhost:{port}/1022"
        async with balancers(2, f"{url}?ssl_ca_certs={made}") as limiters:
            await condition(lambda: known(limiters), "they know of each other")
            assert await passed(limiters, "192.0.2.1") == 100
        async with balancers(1, url) as limiters:  # which trusts others alone
            assert modes(limiters) == {"fallback"}

    with tls_in_front_of(valkey.socket, made, key) as port:
        uvloop.run(run(port))


def test_a_failover_is_followed(watched: Watched) -> None:  # noqa: F811
    async def run() -> None:
        async with balancers(2, watched.url) as limiters:
            await condition(lambda: known(limiters), "they know of each other")
            assert await passed(limiters, "192.0.2.1") == 100
            watched.kill_master()
            await condition(lambda: known(limiters), "they share again, on the other server")
            assert await passed(limiters, "192.0.2.2") == 100

    uvloop.run(run())


def test_a_file_of_authorities_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = BalancerSettings(
        backends="127.0.0.1:1", redis_url=f"rediss://host?ssl_ca_certs={tmp_path}/none.pem"
    )
    with pytest.raises(StartFailed, match=r"none\.pem"):
        make_limiter(settings, clock=lambda: 0.0, log=structlog.get_logger())


def test_an_address_shows_without_its_passwords() -> None:
    urls = {
        "redis://u:secret@one/2": "redis://one:6379",
        "rediss://:secret@one:1": "rediss://one:1",
        "unix:///a%20b?db=3": "unix:///a b",
        "redis+sentinel://:secret@one,two:1/main/4?sentinel_password=secret":
            "redis+sentinel://one:26379,two:1/main",
        "redis+sentinel://one,[::1]:2/main": "redis+sentinel://one:26379,[::1]:2/main",
    }  # fmt: skip
    assert {url: str(parse_redis_url(url)) for url in urls} == urls
    assert [parse_redis_url(url).database for url in urls] == [2, 0, 3, 4, 0]

"""The forms of REDIS_URL become clients that know where to connect, and how."""

from typing import Any

import pytest
from redis.connection import SSLConnection
from redis.sentinel import SentinelManagedSSLConnection

from tasks.redis_url import WatchedServer, client_of, parse_watched


def test_a_url_of_sentinels_is_read_whole() -> None:
    url = (
        "redis+sentinel://user:p%40ss@one:26380,[::1]:26381,three/main/2"
        "?sentinel_username=watch&sentinel_password=dog&socket_keepalive=yes"
    )
    assert parse_watched(url) == WatchedServer(
        (("one", 26380), ("::1", 26381), ("three", 26379)),
        "main",
        {"username": "user", "password": "p@ss", "db": 2, "socket_keepalive": True},
        {"username": "watch", "password": "dog"},
    )


def test_nothing_but_hosts_and_service_is_needed() -> None:
    found = parse_watched("redis+sentinel://one/main")
    assert found == WatchedServer((("one", 26379),), "main", {"db": 0}, {})


def test_tls_holds_for_servers_and_sentinels() -> None:
    url = "rediss+sentinel://:secret@one/main?ssl_ca_certs=/ca.pem&ssl_check_hostname=no"
    tls = {"ssl": True, "ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}
    found = parse_watched(url)
    assert found.options == {"password": "secret", "db": 0, **tls}
    assert found.sentinel_options == tls
    pool: Any = client_of(url, socket_timeout=1.0).connection_pool
    assert pool.connection_class is SentinelManagedSSLConnection
    [sentinel] = pool.sentinel_manager.sentinels
    assert sentinel.connection_pool.connection_class is SSLConnection


@pytest.mark.parametrize("url", ["redis://h:1/2", "redis+sentinel://h:1/main/2"])
def test_time_limits_hold_for_every_connection(url: str) -> None:
    client = client_of(url, socket_timeout=1.5, socket_connect_timeout=0.5, client_name="x")
    pools: list[Any] = [client.connection_pool]
    if "sentinel" in url:
        pools.append(pools[0].sentinel_manager.sentinels[0].connection_pool)
    for pool in pools:
        assert pool.connection_kwargs["socket_timeout"] == 1.5
        assert pool.connection_kwargs["socket_connect_timeout"] == 0.5
    assert pools[0].connection_kwargs["client_name"] == "x"

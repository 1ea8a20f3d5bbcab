"""Faults of Redis that it brings upon itself when told to."""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping

import redis

from cli.faults.fault import Fault, FaultImpossible, Held, Injected, Undoing
from cli.faults.processes import FOR_GOOD_S, VALKEY
from cli.faults.stack import Stack

HELD_S = (2.0, 8.0)
SPARE_BYTES = 16 * 1024
LIMITS = ("maxmemory", "maxmemory-policy")


def connect(url: str) -> redis.Redis:
    """Return a client."""
    return redis.Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=5.0)


def make_room(stack: Stack) -> None:
    """Put the limits of memory back to what Valkey was started with.  Raises RedisError."""
    _set(stack.redis_url, _started_with(stack))


def redis_faults(stack: Stack, rng: random.Random) -> list[Fault]:
    """Return the faults of the embedded Valkey."""
    return command_faults(stack.redis_url, rng, lambda: _started_with(stack))


def command_faults(
    url: str, rng: random.Random, limits: Callable[[], Mapping[str, str]]
) -> list[Fault]:
    """Return the faults that commands bring about, wherever Redis runs.

    `limits` tells, before they are changed, what the limits of memory are to be afterwards.
    """

    def wipe() -> Injected:
        with _impossible_without_redis(), connect(url) as client:
            client.flushall()
        return Held("FLUSHALL", FOR_GOOD_S)

    def fill() -> Injected:
        with Undoing() as undoing, _impossible_without_redis(), connect(url) as client:
            used = int(client.info("memory")["used_memory"])
            # just above what is used, so that some writes still get in; or below it, so that none
            limit = used + SPARE_BYTES if rng.random() < 0.5 else used // 2
            undoing.later(_set, url, limits())
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", limit)
            told = f"Redis may use {limit} bytes, has {used}, and evicts nothing"
            return undoing.held(told, rng.uniform(*HELD_S))

    return [Fault("wipe-redis", "redis", wipe), Fault("fill-redis", "redis", fill)]


def limits_of(url: str) -> dict[str, str]:
    """Return the limits of memory that hold just now.  Raises RedisError."""
    with connect(url) as client:
        return {name: str(client.config_get(name)[name]) for name in LIMITS}


def _started_with(stack: Stack) -> dict[str, str]:
    argv = next((one.argv for one in stack.run().programs if one.name == VALKEY), [])
    return {name: argv[argv.index(f"--{name}") + 1] for name in LIMITS if f"--{name}" in argv}


def _set(url: str, limits: Mapping[str, str]) -> None:
    with connect(url) as client:
        for name, value in limits.items():
            client.config_set(name, value)


@contextlib.contextmanager
def _impossible_without_redis() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise FaultImpossible(f"Redis is not there just now: {error}") from error

"""Faults of Redis (the embedded Valkey) that it brings upon itself when told to."""

import contextlib
import random
from collections.abc import Iterator

import redis

from cli.faults.fault import Fault, FaultImpossible, Held, Injected, Undoing
from cli.faults.processes import FOR_GOOD_S, VALKEY
from cli.faults.stack import Stack

HELD_S = (2.0, 8.0)
SPARE_BYTES = 16 * 1024
LIMITS = ("maxmemory", "maxmemory-policy")


def connect(stack: Stack) -> redis.Redis:
    """Return a client past the proxy."""
    return redis.Redis.from_url(stack.redis_url, socket_timeout=5.0, socket_connect_timeout=5.0)


def make_room(stack: Stack) -> None:
    """Put the limits of memory back to what Valkey was started with.  Raises RedisError."""
    argv = next((one.argv for one in stack.run().programs if one.name == VALKEY), [])
    with connect(stack) as client:
        for name in LIMITS:
            if f"--{name}" in argv:
                client.config_set(name, argv[argv.index(f"--{name}") + 1])


def redis_faults(stack: Stack, rng: random.Random) -> list[Fault]:
    """Return the faults of Redis."""

    def wipe() -> Injected:
        with _impossible_without_redis(), connect(stack) as client:
            client.flushall()
        return Held("FLUSHALL", FOR_GOOD_S)

    def fill() -> Injected:
        with Undoing() as undoing, _impossible_without_redis(), connect(stack) as client:
            used = int(client.info("memory")["used_memory"])
            # just above what is used, so that some writes still get in; or below it, so that none
            limit = used + SPARE_BYTES if rng.random() < 0.5 else used // 2
            undoing.later(make_room, stack)
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", limit)
            told = f"Redis may use {limit} bytes, has {used}, and evicts nothing"
            return undoing.held(told, rng.uniform(*HELD_S))

    return [Fault("wipe-redis", "redis", wipe), Fault("fill-redis", "redis", fill)]


@contextlib.contextmanager
def _impossible_without_redis() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise FaultImpossible(f"Redis is not there just now: {error}") from error

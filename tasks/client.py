"""How our programs connect to Redis."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tasks.redis_url import client_of
from tasks.settings import QueueSettings


def connect(settings: QueueSettings, name: str) -> redis.Redis:
    """Return a client with time limits on every step; nothing is connected yet.

    It never retries by itself: a retried step of the queue could take two tasks and run one.
    RESP 2: this package reads replies as the protocol gives them, and the
    Python parser of RESP 3 is slower.  `name` shows in CLIENT LIST.
    """
    return client_of(
        settings.url,
        socket_timeout=settings.socket_timeout_s,
        socket_connect_timeout=settings.connect_timeout_s,
        retry=Retry(NoBackoff(), 0),
        client_name=name,
        protocol=2,
    )

"""The fragments' results that are kept in Redis, so that a bench may do without them."""

import redis

from app.queries.columnar.partials import PREFIX


class Partials:
    """What is kept of fragments that were run before."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def forget(self) -> None:
        """Remove all."""
        kept = list(self._client.scan_iter(match=f"{PREFIX}*", count=1000))
        if kept:
            self._client.unlink(*kept)

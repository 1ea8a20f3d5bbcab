"""Partials over segments, kept in Redis: what is keyed by what files hold stays exact for ever."""

import zlib
from collections.abc import Callable, Mapping, Sequence

import redis

from query.fragment import Partial
from tasks.errors import QueueUnavailable
from tasks.link import borrowed

PREFIX = "millrace:partial:"
LEVEL = 1


class PartialCache:
    """Safe for use by many threads; while Redis is away it is empty, and keeps nothing.

    Keys expire after `ttl_s`, 0: nothing is kept.  Partials of more than `max_bytes`, compressed,
    are not kept.  `on_asked` is told how many were there, and how many were not.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        ttl_s: float,
        max_bytes: int,
        on_asked: Callable[[int, int], None] = lambda _there, _missing: None,
    ) -> None:
        self._client = client
        self._ttl_ms = round(ttl_s * 1000)
        self._max_bytes = max_bytes
        self._on_asked = on_asked

    def get(self, digests: Sequence[str]) -> dict[str, Partial]:
        """Return those that are there."""
        if not self._ttl_ms or not digests:
            return {}
        try:
            with borrowed(self._client) as link:
                reply = link.call("MGET", *(PREFIX + digest for digest in digests))
        except QueueUnavailable:
            return {}
        found = {}
        for digest, value in zip(digests, reply if isinstance(reply, list) else [], strict=False):
            partial = _read(value) if isinstance(value, bytes) else None
            if partial is not None:
                found[digest] = partial
        self._on_asked(len(found), len(digests) - len(found))
        return found

    def has_all(self, digests: Sequence[str | None]) -> bool:
        """Tell whether all of these are there; None: one that is never kept."""
        if not self._ttl_ms or not digests or None in digests:
            return False
        try:
            with borrowed(self._client) as link:
                reply = link.call("EXISTS", *(f"{PREFIX}{digest}" for digest in digests))
        except QueueUnavailable:
            return False
        return reply == len(digests)

    def put(self, partials: Mapping[str, Partial]) -> None:
        """Keep these."""
        if not self._ttl_ms:
            return
        packed = {
            digest: zlib.compress(partial.encode(), LEVEL) for digest, partial in partials.items()
        }
        commands = [
            ("SET", PREFIX + digest, data, "PX", self._ttl_ms)
            for digest, data in packed.items()
            if len(data) <= self._max_bytes
        ]
        if not commands:
            return
        try:
            with borrowed(self._client) as link:
                link.calls(*commands)
        except QueueUnavailable:
            return


def _read(data: bytes) -> Partial | None:
    try:
        return Partial.decode(zlib.decompress(data))
    except (ValueError, zlib.error):
        return None

"""Answers in Redis.  Each step is one script and one round trip.

All keys expire, so that an eviction policy of `volatile-lru` touches only them; and our own account
of bytes evicts before Redis has to, so that the queue never suffers from the cache.
"""

import json
import time
from collections.abc import Callable
from typing import Literal

import redis

from app.cache.settings import CacheSettings
from app.cache.store import Entry, Found, Size, StoreUnavailable, What
from tasks.errors import QueueUnavailable
from tasks.link import Argument, Response, borrowed
from tasks.scripts import Script

PREFIX = "millrace:cache:"
ENTRY = f"{PREFIX}entry:"
LOCK = f"{PREFIX}lock:"
INVALIDATED = f"{PREFIX}invalidated"
USED = f"{PREFIX}used"
SIZES = f"{PREFIX}sizes"
HOT = f"{PREFIX}hot"
REQUESTS = f"{PREFIX}requests"
FADED = f"{PREFIX}faded"
MOST_TABLES = 10_000

ENTER = Script("enter", "app.cache")
PUT = Script("put", "app.cache")
INVALIDATE = Script("invalidate", "app.cache")
RELEASE = Script("release", "app.cache")
HOTTEST = Script("hottest", "app.cache")
WHATS: dict[bytes, What] = {b"hit": "hit", b"lead": "lead", b"wait": "wait", b"miss": "miss"}


class RedisStore:
    """The store that all replicas share; see Store."""

    name: Literal["redis", "database"] = "redis"

    def __init__(
        self,
        client: redis.Redis,
        settings: CacheSettings,
        on_evicted: Callable[[int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._settings = settings
        self._on_evicted = on_evicted
        self._lease_ms = round(settings.cache_lease_s * 1000)
        self._kept_ms = round(max(settings.cache_stale_s, settings.cache_ttl_s) * 1000)

    def enter(self, key: str, *, oldest_s: float, token: str = "", request: str = "") -> Found:
        """Look `key` up; count it as asked for if `request` names it.  See Store."""
        keys = [ENTRY + key, LOCK + key, INVALIDATED, USED, SIZES, HOT]
        oldest_ms = int(min(oldest_s, 1e9) * 1000)
        match self._run(ENTER, keys, [key, token, self._lease_ms, oldest_ms, request]):
            case [bytes(what), bytes(began)]:
                return Found(WHATS[what], None, 0.0, 0, 0.0, began.decode())
            case [bytes(what), bytes(began), bytes(value), int(age), int(hits), int(cost)]:
                return Found(WHATS[what], value, age / 1000, hits, cost / 1000, began.decode())
            case other:
                raise StoreUnavailable(f"Redis says {other!r}")

    def put(self, entry: Entry) -> bool:
        """Keep an answer that this store saw begin.  See Store."""
        if entry.began is None:
            return False
        keys = [ENTRY + entry.key, INVALIDATED, USED, SIZES, HOT, REQUESTS]
        sequence, _, began_ms = entry.began.partition(" ")
        age_s = self._monotonic() - entry.computed_at
        arguments: list[Argument] = [
            entry.key, ENTRY, entry.value, sequence, json.dumps(entry.tables),
            round(age_s * 1000), self._kept_ms, self._settings.cache_max_bytes,
            round(entry.cost_s * 1000), entry.request, entry.request_text,
            self._settings.cache_warm_queries * 10, began_ms,
        ]  # fmt: skip
        match self._run(PUT, keys, arguments):
            case [bytes(what), int(evicted), int()]:
                self._on_evicted(evicted)
                return what == b"stored"
            case other:
                raise StoreUnavailable(f"Redis says {other!r}")

    def renew(self, key: str, token: str) -> None:
        """Go on leading."""
        self._run(RELEASE, [LOCK + key], [token, self._lease_ms])

    def release(self, key: str, token: str) -> None:
        """Lead no more."""
        self._run(RELEASE, [LOCK + key], [token, 0])

    def invalidate(self, tables: tuple[str, ...] | None) -> None:
        """Let nothing count that was computed from one of the tables before now; None: at all."""
        if tables != ():
            self._run(INVALIDATE, [INVALIDATED], [MOST_TABLES, *(tables or ())])

    def hottest(self, most: int) -> list[str]:
        """Return the texts of the requests that are asked for most, as `put` got them."""
        found = self._run(HOTTEST, [HOT, REQUESTS, FADED], [most]) if most else []
        return (
            [text.decode() for text in found or [] if isinstance(text, bytes)]
            if isinstance(found, list)
            else []
        )

    def claim(self, name: str, seconds: int) -> bool:
        """Tell whether nobody has claimed `name` in the last seconds; the caller has now."""
        reply = self._call("SET", f"{PREFIX}claim:{name}", "1", "NX", "EX", seconds)
        return reply is not None

    def size(self) -> Size:
        """Return how many entries there are, and their bytes."""
        total = self._call("HGET", SIZES, "")
        entries = self._call("ZCARD", USED)
        return Size(
            int(entries) if isinstance(entries, int) else 0,
            int(total) if isinstance(total, bytes) else 0,
        )

    def ping(self) -> None:
        """Raise StoreUnavailable if Redis does not answer."""
        self._call("PING")

    def _run(self, script: Script, keys: list[str], arguments: list[Argument]) -> Response:
        try:
            with borrowed(self._client) as link:
                return link.run(script, keys, arguments)
        except QueueUnavailable as error:
            raise StoreUnavailable(str(error)) from error

    def _call(self, *command: Argument) -> Response:
        try:
            with borrowed(self._client) as link:
                return link.call(*command)
        except QueueUnavailable as error:
            raise StoreUnavailable(str(error)) from error

"""Which store is in use: Redis, and PostgreSQL while that is away."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from app.cache.database_store import DatabaseStore
from app.cache.redis_store import RedisStore
from app.cache.store import Size, Store, StoreUnavailable
from tasks.events import OnEvent, unheard

Mode = Literal["off", "database", "redis"]


class Stores:
    """Redis counts as away from its first failure until `look` finds it again.

    So an outage costs each request that is under way one time limit, and the later ones nothing.
    """

    def __init__(
        self,
        redis_store: RedisStore,
        database_store: DatabaseStore,
        on_mode: Callable[[Mode], None],
        emit: OnEvent = unheard,
    ) -> None:
        self.redis = redis_store
        self.database = database_store
        self._on_mode = on_mode
        self._emit = emit
        self._lock = threading.Lock()
        self._mode: Mode = "redis"
        on_mode("redis")

    @property
    def mode(self) -> Mode:
        """The store in use; "off" while neither works."""
        return self._mode

    @property
    def current(self) -> Store | None:
        """The store in use; None while neither works."""
        match self._mode:
            case "redis":
                return self.redis
            case "database":
                return self.database
            case "off":
                return None

    def failed(self, store: Store, error: Exception) -> None:
        """Note that a store did not work; the next one takes over."""
        with self._lock:
            if store.name == self._mode:
                self._change("database" if store.name == "redis" else "off", str(error))

    def look(self) -> None:
        """See which store works.  Called in the background, every second or so.

        What was invalidated while Redis was away is invalidated there before it is used again.
        """
        try:
            self.redis.ping()
            self._catch_up()
        except StoreUnavailable as error:
            self._look_at_database(str(error))
            return
        with self._lock:
            self._change("redis", "Redis answers")

    def invalidate(self, tables: tuple[str, ...] | None) -> bool:
        """Invalidate in both stores; return whether Redis was told, too.

        Where it is away it is told as soon as it is back.  Raises StoreUnavailable when PostgreSQL
        is away: then send it again.
        """
        told = True
        try:
            self.redis.invalidate(tables)
        except StoreUnavailable as error:
            self.failed(self.redis, error)
            told = False
        self.database.invalidate(tables)
        if not told:
            self.database.note_missed()
        return told

    def size(self) -> Size:
        """Return how much the store in use holds; nothing while it is away."""
        store = self.current
        try:
            return store.size() if store is not None else Size(0, 0)
        except StoreUnavailable as error:
            if store is not None:
                self.failed(store, error)
            return Size(0, 0)

    def _catch_up(self) -> None:
        try:
            mark = self.database.missed()
        except StoreUnavailable:
            return  # without PostgreSQL nothing new can have been noted
        if mark is not None:
            self.redis.invalidate(None)
            with suppress(StoreUnavailable):
                self.database.forget_missed(mark)

    def _look_at_database(self, reason: str) -> None:
        try:
            self.database.size()
        except StoreUnavailable as error:
            mode: Mode = "off"
            reason = f"{reason}; {error}"
        else:
            mode = "database"
        with self._lock:
            self._change(mode, reason)

    def _change(self, mode: Mode, reason: str) -> None:
        if mode == self._mode:
            return
        old, self._mode = self._mode, mode
        self._on_mode(mode)
        self._emit("cache_store_changed", reason, old=old, new=mode)

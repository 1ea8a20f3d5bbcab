"""Looks after the stores, and computes answers before somebody asks."""

import queue
import threading
from contextlib import suppress

import structlog

from app.cache.answers import AGEING_SHARE, Answers
from app.cache.catalog_facts import CatalogFacts
from app.cache.keeping import Keeping
from app.cache.metrics import CacheMetrics
from app.cache.settings import CacheSettings
from app.cache.store import StoreUnavailable
from app.cache.stores import Stores
from app.queries.control import Control
from app.queries.errors import Cancelled
from app.queries.request import QueryInput
from app.queries.sql_error import SqlError
from db.errors import DatabaseError
from query.errors import QueryError

LOOK_S = 1.0
VERSION_EVERY = 2
MOST_WAITING = 32
WARMED_FOR_S = 10

_log = structlog.stdlib.get_logger("app.cache")


class Ageing:
    """Queries whose answers should be computed anew; each waits at most once."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[QueryInput, float] | None] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._named: set[QueryInput] = set()

    def add(self, query: QueryInput, younger_than_s: float) -> None:
        """Note a query; when too many wait it is left to who asks for it."""
        with self._lock:
            if query in self._named:
                return
            with suppress(queue.Full):
                self._waiting.put_nowait((query, younger_than_s))
                self._named.add(query)

    def take(self) -> tuple[QueryInput, float] | None:
        """Wait for the next one, with the age that is young enough; None at the end."""
        taken = self._waiting.get()
        if taken is not None:
            with self._lock:
                self._named.discard(taken[0])
        return taken

    def end(self) -> None:
        """Let who waits for the next one go."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)


class Background:
    """Two threads: one looks after the stores and the schema's version, one computes.

    One only: what is computed beforehand must never crowd out what somebody waits for.
    """

    def __init__(
        self,
        answers: Answers,
        stores: Stores,
        facts: CatalogFacts,
        keeping: Keeping,
        ageing: Ageing,
        settings: CacheSettings,
        metrics: CacheMetrics,
        *,
        timeout_s: float,
    ) -> None:
        self._answers = answers
        self._stores = stores
        self._facts = facts
        self._keeping = keeping
        self._ageing = ageing
        self._settings = settings
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._stopped = threading.Event()
        self._control: Control | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start; nothing is done where the cache is off."""
        if self._settings.cache_ttl_s == 0:
            return
        self._keeping.start()
        for name, run in (("cache-watch", self._watch), ("cache-refresh", self._refresh)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, *, wait_s: float = 1.0) -> None:
        """End; what is being computed is cancelled."""
        self._stopped.set()
        self._ageing.end()
        control = self._control
        if control is not None:
            control.cancel("stopping")
        for thread in self._threads:
            thread.join(wait_s)
        self._keeping.stop(wait_s=wait_s)

    def warm(self) -> None:
        """Have the hottest queries computed, unless another replica has just begun to."""
        try:
            if self._stores.mode != "redis" or self._settings.cache_warm_queries == 0:
                return
            if not self._stores.redis.claim("warming", WARMED_FOR_S):
                return
            texts = self._stores.redis.hottest(self._settings.cache_warm_queries)
        except StoreUnavailable as error:
            self._stores.failed(self._stores.redis, error)
            return
        for text in texts:
            query = self._keeping.query_of(text, self._timeout_s)
            self._ageing.add(query, self._settings.cache_ttl_s)

    def _watch(self) -> None:
        looks = 0
        while True:
            try:
                self._stores.look()
                if looks % VERSION_EVERY == 0:
                    self._facts.refresh()
                if looks == 0:
                    self.warm()
                self._metrics.seen(self._stores.size())
            except Exception:  # noqa: BLE001 - a bug: it must show, and not end the thread
                _log.exception("looking after the cache failed")
            looks += 1
            if self._stopped.wait(LOOK_S):
                return

    def _refresh(self) -> None:
        while not self._stopped.is_set():
            taken = self._ageing.take()
            if taken is None:
                continue
            query, younger_than_s = taken
            self._control = Control("cache-refresh", self._timeout_s)
            try:
                self._answers.refresh(query, self._control, younger_than_s=younger_than_s)
            except (QueryError, SqlError, DatabaseError, Cancelled) as error:
                _log.info("query not refreshed", reason=str(error))
            except Exception:  # noqa: BLE001 - a bug: it must show, and not end the thread
                _log.exception("refreshing the cache failed")


def ageing_share_s(settings: CacheSettings) -> float:
    """Return the age from which an answer that is asked for often is computed anew."""
    return AGEING_SHARE * settings.cache_ttl_s

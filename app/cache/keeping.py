"""What goes on beside the requests: leases are renewed, and PostgreSQL gets copies of answers."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.cache.database_store import DatabaseStore
from app.cache.settings import CacheSettings
from app.cache.store import Entry, Store, StoreUnavailable
from app.queries.request import QueryInput

MOST_COPIES_WAITING = 64
RENEWALS_A_LEASE = 3


class Keeping:
    """Two threads: one renews the leases that this process holds, one writes copies.

    Copies that do not fit into the short queue are left out: they are a comfort.
    """

    def __init__(self, database_store: DatabaseStore, settings: CacheSettings) -> None:
        self._database_store = database_store
        self._renew_s = settings.cache_lease_s / RENEWALS_A_LEASE
        self._leases: dict[str, tuple[Store, str]] = {}
        self._lock = threading.Lock()
        self._copies: queue.Queue[Entry | None] = queue.Queue(MOST_COPIES_WAITING)
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start both threads."""
        for name, run in (("cache-leases", self._renew), ("cache-copies", self._copy)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, *, wait_s: float = 1.0) -> None:
        """End both threads; copies that wait are dropped."""
        self._stopped.set()
        with suppress(queue.Full):
            self._copies.put_nowait(None)
        for thread in self._threads:
            thread.join(wait_s)

    @contextmanager
    def lease(self, store: Store, key: str, token: str) -> Iterator[None]:
        """Renew a lease during this context, and give it back at its end."""
        with self._lock:
            self._leases[token] = (store, key)
        try:
            yield
        finally:
            with self._lock:
                del self._leases[token]
            with suppress(StoreUnavailable):
                store.release(key, token)

    def write_behind(self, entry: Entry) -> None:
        """Have PostgreSQL keep the entry as well, soon."""
        with suppress(queue.Full):
            self._copies.put_nowait(entry)

    @staticmethod
    def text_of(query: QueryInput) -> str:
        """Return the request as a text, from which `query_of` makes it again."""
        return json.dumps([query.sql, query.params, query.max_rows])

    @staticmethod
    def query_of(text: str, timeout_s: float) -> QueryInput:
        """Return the request that `text_of` wrote down, with this much time."""
        sql, params, max_rows = json.loads(text)
        return QueryInput(sql, tuple(params), timeout_s, max_rows)

    def _renew(self) -> None:
        while not self._stopped.wait(self._renew_s):
            with self._lock:
                leases = list(self._leases.items())
            for token, (store, key) in leases:
                with suppress(StoreUnavailable):
                    store.renew(key, token)

    def _copy(self) -> None:
        while not self._stopped.is_set():
            entry = self._copies.get()
            if entry is not None:
                with suppress(StoreUnavailable):
                    self._database_store.put(entry)

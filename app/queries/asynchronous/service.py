"""Asynchronous queries as the routes see them."""

import binascii
import time
from collections.abc import Callable

from app.queries.answer_codec import decode
from app.queries.asynchronous.executor import Executor
from app.queries.asynchronous.record import FINISHED, AsyncQuery
from app.queries.asynchronous.store import AsyncStore
from app.queries.metrics import QueryMetrics
from app.queries.request import Answer, QueryInput
from app.queries.switchboard import Found, Switchboard

LOOK_S = 1.0  # a notice of a change can be lost


class AsyncQueries:
    """Accepts, finds, answers and ends.  Every method raises db.errors when PostgreSQL is away."""

    def __init__(
        self,
        store: AsyncStore,
        executor: Executor,
        switchboard: Switchboard,
        metrics: QueryMetrics,
        *,
        new_id: Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._switchboard = switchboard
        self._metrics = metrics
        self._new_id = new_id
        self._monotonic = monotonic
        self.executor = executor
        switchboard.on_queued = executor.wake

    def accept(self, query: QueryInput, key: str | None, request_id: str, *, repeated: bool) -> str:
        """Keep a query to be run soon, and return its id; with the same key, the same one.

        Without a key: the same one for a request that the balancer had to repeat.

        Once this returns, the query is not lost.  Raises KeyReused, TooManyQueued.
        """
        new_id = self._new_id()
        if key is None:
            kept_id = self._store.insert_sent(new_id, query, request_id, again=repeated)
        else:
            kept_id = self._store.insert(new_id, query, key)
        if kept_id == new_id:
            self._metrics.async_became("queued")
        self.executor.wake()  # everybody hears the notice, but here it is known already
        return kept_id

    def find(self, query_id: str) -> AsyncQuery | None:
        """Return the query; None if there is none, or no more."""
        return self._store.find(query_id)

    def answer(self, query_id: str) -> Answer | None:
        """Return the answer of a query that is done; None if there is none, or no more."""
        text = self._store.result(query_id)
        return None if text is None else decode(binascii.a2b_base64(text))

    def wait(self, query_id: str, wait_s: float) -> AsyncQuery | None:
        """Return the query once it is finished, or as it is after `wait_s` seconds."""
        deadline = self._monotonic() + wait_s
        with self._switchboard.expecting(query_id) as changed:
            while True:
                changed.clear()
                query = self.find(query_id)
                left_s = deadline - self._monotonic()
                if query is None or query.state in FINISHED or left_s <= 0:
                    return query
                changed.wait(min(left_s, LOOK_S))

    def cancel(self, query_id: str) -> Found:
        """End a query of that id, synchronous or not, wherever it runs; forget a finished one."""
        # first what needs no PostgreSQL; an asynchronous one must be noted as cancelled before
        if not self.executor.holds(query_id) and self._switchboard.cancel_here(query_id, "deleted"):
            return "found"
        state = self._store.cancel(query_id)
        if state == "done":
            return "found"
        found = self._switchboard.cancel(query_id, "deleted")
        if state == "cancelled":
            self._metrics.async_became("cancelled")
            return "found"  # who runs it finds out at its next renewal, if it has not heard
        return found

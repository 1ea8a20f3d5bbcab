"""Runs asynchronous queries: takes them from the store, and keeps its leases on them."""

import binascii
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from app.queries.answer_codec import encode
from app.queries.asynchronous.errors import GivenUp, ResultTooLarge
from app.queries.asynchronous.record import AsyncQuery
from app.queries.asynchronous.store import AsyncStore
from app.queries.control import Control
from app.queries.errors import Cancelled
from app.queries.metrics import QueryMetrics
from app.queries.running import RunningQueries
from app.queries.service import QueryService
from db.errors import ConnectionLost, DatabaseError
from telemetry.carrier import Continuations

PAUSE_S = 1.0  # before what PostgreSQL's absence ended is tried again
JOIN_S = 5.0

_log = structlog.stdlib.get_logger("app.queries.asynchronous")


@dataclass(frozen=True)
class ExecutorRules:
    """`lease_s`: after so long without a sign of life another replica runs the query again.

    At most `max_attempts` times in all.  `max_result_bytes` count as they are kept.
    """

    threads: int
    lease_s: float
    max_attempts: int
    max_result_bytes: int
    sweep_s: float


class Executor:
    """A bounded number of threads that run queries, and one that renews their leases.

    `describe` turns an error into a problem document; None for a defect of ours.
    """

    def __init__(
        self,
        store: AsyncStore,
        queries: QueryService,
        running: RunningQueries,
        metrics: QueryMetrics,
        rules: ExecutorRules,
        describe: Callable[[Exception, str], Mapping[str, Any]],
        continuations: Continuations | None = None,
    ) -> None:
        self._store = store
        self._queries = queries
        self._running = running
        self._metrics = metrics
        self._rules = rules
        self._describe = describe
        self._continuations = continuations or Continuations()
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, Control]] = {}
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._serve, name=f"async-{number}", daemon=True)
            for number in range(rules.threads)
        ]
        self._threads.append(threading.Thread(target=self._keep, name="async-keeper", daemon=True))

    def start(self) -> None:
        """Begin to take queries."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look for queries now: there is a new one."""
        self._wake.set()

    def give_back(self) -> None:
        """Take nothing new, and let other replicas run what runs here; returns at once."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            held = list(self._held)
        for query_id in held:
            self._running.cancel(query_id, "stopping")

    def holds(self, query_id: str) -> bool:
        """Tell whether that query runs here."""
        return query_id in self._held

    def stop(self) -> None:
        """Give back what runs, and wait until that is done."""
        self.give_back()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(JOIN_S)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            owner = secrets.token_hex(12)
            try:
                query = self._store.claim(owner, self._rules.lease_s)
                if query is not None:
                    with self._continuations.of(
                        query.origin, "asynchronous query", {"millrace.attempt": query.attempts},
                        query_id=query.id,
                    ):  # fmt: skip
                        self._run(query, owner)
                    continue
            except DatabaseError as error:
                _log.warning("asynchronous queries wait for PostgreSQL", error=str(error))
            if not self._stopping.is_set():
                self._wake.wait()

    def _run(self, query: AsyncQuery, owner: str) -> None:
        if query.attempts > self._rules.max_attempts:
            self._fail(query, owner, GivenUp(query.attempts - 1))
            return
        with self._running.track(query.id, query.request.timeout_s) as control:
            with self._lock:
                self._held[query.id] = (owner, control)
            try:
                if self._stopping.is_set():
                    control.cancel("stopping")
                self._answer(query, owner, control)
            except Cancelled as error:
                if error.cause == "stopping":
                    self._release(query, owner, counts=False, pause_s=0.0)
            except ConnectionLost as error:
                # it may be the query that ends PostgreSQL's sessions
                if query.attempts < self._rules.max_attempts:
                    self._release(query, owner, counts=True)
                else:
                    self._fail(query, owner, error)
            except DatabaseError:
                # It was not begun, which says nothing about it.  It was accepted: it waits for
                # PostgreSQL, however long that takes.
                self._release(query, owner, counts=False, pause_s=PAUSE_S)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the query's end
                self._fail(query, owner, error)
            finally:
                with self._lock:
                    del self._held[query.id]

    def _answer(self, query: AsyncQuery, owner: str, control: Control) -> None:
        answer = self._queries.run(query.request, control, accepted=True)
        data = encode(answer)
        if len(data) > self._rules.max_result_bytes:
            raise ResultTooLarge(len(data), self._rules.max_result_bytes)
        text = binascii.b2a_base64(data, newline=False).decode()
        if self._insist(lambda: self._store.done(query.id, owner, text, len(answer.rows))):
            self._metrics.async_became("done")

    def _fail(self, query: AsyncQuery, owner: str, error: Exception) -> None:
        problem = self._describe(error, query.id)
        if self._insist(lambda: self._store.failed(query.id, owner, problem)):
            self._metrics.async_became("failed")

    def _release(
        self, query: AsyncQuery, owner: str, *, counts: bool, pause_s: float = PAUSE_S
    ) -> None:
        def release() -> bool:
            return self._store.release(query.id, owner, pause_s=pause_s, counts=counts)

        if self._insist(release):
            self._metrics.async_became("given_back")
            _log.info("asynchronous query given back", query_id=query.id)

    def _insist(self, change: Callable[[], bool]) -> bool:
        """Write a change of state, when PostgreSQL is away as soon as it is back.

        Else the lease would have to lapse, and that counts as an attempt; an answer would have to
        be computed again.  A replica that stops does not wait.
        """
        while True:
            try:
                return change()
            except DatabaseError as error:
                if self._stopping.is_set():
                    raise
                _log.info("an end waits for PostgreSQL", error=str(error))
                self._stopping.wait(PAUSE_S)

    def _keep(self) -> None:
        """Renew leases, look for what others left behind, and forget what is too old."""
        since_look_s = since_sweep_s = 0.0
        step_s = self._rules.lease_s / 4
        while not self._stopping.wait(step_s):
            since_look_s += step_s
            since_sweep_s += step_s
            try:
                self._renew()
                if since_look_s >= self._rules.lease_s / 2:
                    since_look_s = 0.0
                    if self._store.any_due():
                        self._wake.set()
                if since_sweep_s >= self._rules.sweep_s:
                    since_sweep_s = 0.0
                    self._store.sweep()
            except DatabaseError as error:
                _log.warning("leases not renewed", error=str(error))

    def _renew(self) -> None:
        with self._lock:
            held = list(self._held.items())
        for query_id, (owner, control) in held:
            if not self._store.renew(query_id, owner, self._rules.lease_s, control):
                # or another replica has it: nobody wants it from here
                self._running.cancel(query_id, "deleted")

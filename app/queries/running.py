"""The queries that this process runs now, and the watch over the clients that wait for them."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from app.queries.control import Cause, Control

LOOK_S = 0.05

_log = structlog.stdlib.get_logger("app.queries")
# Linux tells of a peer that closed though bytes of it are still unread
_CLOSED = getattr(select, "POLLRDHUP", 0)


@dataclass(eq=False)
class RunningQuery:
    """A query, its client's socket if somebody waits at one, and when it began."""

    control: Control
    client: socket.socket | None
    began: float


class RunningQueries:
    """Registry of running queries; as many as there are threads to run them.

    One thread watches all clients.  It wakes when a query with a client begins and then looks
    every `look_s`, with one system call for all, until none is left; so it costs nothing while
    nothing runs.
    """

    def __init__(
        self,
        *,
        look_s: float = LOOK_S,
        on_cancelled: Callable[[Cause], None] = lambda _cause: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_s = look_s
        self._on_cancelled = on_cancelled
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._queries: dict[int, RunningQuery] = {}
        self._watched = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="client-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch clients."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        self._watched.set()
        if self._thread.is_alive():
            self._thread.join()

    def __len__(self) -> int:
        """Return how many queries run."""
        return len(self._queries)

    @contextmanager
    def track(
        self, query_id: str, timeout_s: float, client: socket.socket | None = None
    ) -> Iterator[Control]:
        """Let the query be found, and be ended, while it runs in this context.

        `client` is the socket of who waits for the answer: when it closes, also for sending
        alone, the query is cancelled.  Nothing is read from it.
        """
        control = Control(query_id, timeout_s, self._monotonic)
        query = RunningQuery(control, client, self._monotonic())
        with self._lock:
            self._queries[id(query)] = query
        if client is not None:
            self._watched.set()
        try:
            yield control
        finally:
            with self._lock:
                del self._queries[id(query)]

    def cancel(self, query_id: str, cause: Cause) -> bool:
        """End all queries of that id; False if there is none."""
        with self._lock:
            found = [q for q in self._queries.values() if q.control.query_id == query_id]
        for query in found:
            self._end(query, cause)
        return bool(found)

    def _end(self, query: RunningQuery, cause: Cause) -> None:
        if query.control.cancel(cause):
            ran_s = round(self._monotonic() - query.began, 3)
            _log.info("query cancelled", query_id=query.control.query_id, cause=cause, ran_s=ran_s)
            self._on_cancelled(cause)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self._watched.wait()
            # most queries are over before the first look
            self._stopped.wait(self._look_s)
            for query in self._look():
                self._end(query, "client gone")

    def _look(self) -> list[RunningQuery]:
        """Return the queries whose clients are gone; rest until there is one to watch."""
        # Under the lock: a query that leaves waits for the look, so its socket stays its own.
        with self._lock:
            watched = {
                query.client.fileno(): query
                for query in self._queries.values()
                if query.client is not None and query.control.cause is None
                if query.client.fileno() >= 0
            }
            if not watched and not self._stopped.is_set():
                self._watched.clear()
                return []
            poll = select.poll()
            for descriptor in watched:
                poll.register(descriptor, select.POLLIN | _CLOSED)
            return [
                watched[descriptor]
                for descriptor, events in poll.poll(0)
                if _is_gone(watched[descriptor].client, events)
            ]


def _is_gone(client: socket.socket | None, events: int) -> bool:
    if events & (_CLOSED | select.POLLHUP | select.POLLERR | select.POLLNVAL):
        return True
    try:
        # the next request may lie there already: it is left for who reads it
        return client is not None and not client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except (BlockingIOError, TimeoutError):
        return False
    except OSError:
        return True

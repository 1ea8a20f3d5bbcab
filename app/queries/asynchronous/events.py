"""The progress of an asynchronous query, as server-sent events."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from app.queries.asynchronous.record import FINISHED, AsyncQuery
from app.queries.switchboard import Switchboard
from db.errors import DatabaseError

LOOK_S = 0.5
HEARTBEAT_S = 5.0
RETRY_MS = 1000


class EventStreams:
    """Streams of events, of which only so many may be open: each holds a thread of the server."""

    def __init__(
        self,
        find: Callable[[str], AsyncQuery | None],
        switchboard: Switchboard,
        *,
        most: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._switchboard = switchboard
        self._free = threading.BoundedSemaphore(most)
        self._monotonic = monotonic
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End all streams soon; their clients connect again, elsewhere."""
        self._stopped.set()

    def take_place(self) -> bool:
        """Take a place for one stream, to be given back; False: all are taken."""
        return self._free.acquire(blocking=False)

    def give_place_back(self) -> None:
        """Give a place back, once its stream is closed, begun or not."""
        self._free.release()

    def events(
        self, query_id: str, document: Callable[[AsyncQuery], Mapping[str, Any]], life_s: float
    ) -> Iterator[bytes]:
        """Yield an event at each change, at the latest until the query is finished.

        After `life_s` the stream ends before that; a client that wants more connects again, as
        it does by itself.  In between, comments show that the connection lives, and find out
        when it does not.
        """
        end = self._monotonic() + life_s
        quiet_since = self._monotonic()
        last: Mapping[str, Any] | None = None
        yield f"retry: {RETRY_MS}\n\n".encode()
        with self._switchboard.expecting(query_id) as changed:
            while not self._stopped.is_set() and self._monotonic() < end:
                changed.clear()
                try:
                    query = self._find(query_id)
                except DatabaseError:
                    return
                if query is None:
                    yield b"event: forgotten\ndata: {}\n\n"
                    return
                now = document(query)
                if now != last:
                    last, quiet_since = now, self._monotonic()
                    yield f"event: {query.state}\ndata: {json.dumps(now)}\n\n".encode()
                elif self._monotonic() - quiet_since >= HEARTBEAT_S:
                    quiet_since = self._monotonic()
                    yield b": still there\n\n"
                if query.state in FINISHED:
                    return
                changed.wait(min(LOOK_S, max(0.0, end - self._monotonic())))

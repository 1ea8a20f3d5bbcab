"""The progress of an asynchronous query, as server-sent events."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from app.event_places import EventPlaces
from app.queries.asynchronous.record import FINISHED, AsyncQuery
from app.queries.switchboard import Switchboard
from db.errors import DatabaseError

LOOK_S = 0.5
HEARTBEAT_S = 5.0
RETRY_MS = 1000


class EventStreams:
    """Streams of events about queries; each takes one of `places`."""

    def __init__(
        self,
        find: Callable[[str], AsyncQuery | None],
        switchboard: Switchboard,
        places: EventPlaces,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._switchboard = switchboard
        self._monotonic = monotonic
        self.places = places

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
            while not self.places.is_stopped and self._monotonic() < end:
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

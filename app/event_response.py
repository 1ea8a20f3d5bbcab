"""A response of server-sent events."""

from collections.abc import Callable, Iterator

from flask import Response

from app.event_places import EventPlaces
from app.waiting_client import patience_s

LONGEST_STREAM_S = 3600.0
END_BEFORE_S = 1.0  # in good order, rather than cut by the balancer


def event_response(places: EventPlaces, events: Callable[[float], Iterator[bytes]]) -> Response:
    """Return the response of `events`, which is told for how many seconds it may go on.

    Raises Problem when no place is free.
    """
    places.take()
    life_s = max(END_BEFORE_S, patience_s(LONGEST_STREAM_S) - END_BEFORE_S)
    response = Response(
        events(life_s),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    response.call_on_close(places.give_back)
    return response

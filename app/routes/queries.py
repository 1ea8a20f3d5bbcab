"""Queries by their id: asynchronous ones looked up and watched, and any one ended."""

from flask import Response

from app.async_reply import document, look_up, unknown
from app.endpoints import Endpoints, PathParameter
from app.event_response import event_response
from app.formats.responses import asked
from app.models_async import AsyncQueryDocument
from app.models_query import QueryAnswer
from app.problem_types import (
    CANCEL_UNSURE,
    DATABASE_BUSY,
    DATABASE_READ_ONLY,
    DATABASE_UNAVAILABLE,
    NOT_ACCEPTABLE,
    QUERY_UNKNOWN,
    TOO_MANY_STREAMS,
)
from app.problems import Problem
from app.services import services

endpoints = Endpoints("query", lane="bulk")
QUERY_ID = PathParameter(
    "query_id",
    r"[A-Za-z0-9._~-]{1,128}",
    "Id of an asynchronous query, or the X-Request-ID of one that somebody waits for.",
)
PROBLEMS = (QUERY_UNKNOWN, DATABASE_UNAVAILABLE, DATABASE_BUSY, DATABASE_READ_ONLY)


@endpoints.endpoint(
    "GET", "/v1/queries/{query_id}", parameters=[QUERY_ID], response=QueryAnswer,
    problems=(*PROBLEMS, NOT_ACCEPTABLE),
)  # fmt: skip
def look_query_up(query_id: str) -> Response:
    """Look an asynchronous query up.

    Its answer, in the format that this request asks for; before that, and when there is none,
    its state: an AsyncQueryDocument, with Retry-After while it is worth asking again.
    """
    return look_up(services().asynchronous, query_id, asked())


@endpoints.endpoint(
    "DELETE", "/v1/queries/{query_id}", parameters=[QUERY_ID], response=None,
    problems=(*PROBLEMS, CANCEL_UNSURE), lane="status",  # it is what helps in an overload
)  # fmt: skip
def delete_query(query_id: str) -> Response:
    """End a query, on whichever replica it runs.

    What is queued of it is dropped, and what runs is cancelled on PostgreSQL. The result of an
    asynchronous query that is finished is deleted.
    """
    found = services().asynchronous.cancel(query_id)
    if found == "unknown":
        raise unknown(query_id)
    if found == "unsure":
        raise Problem(
            CANCEL_UNSURE,
            "Not every replica has answered in time; one of them may run the query. Try again.",
            retry_after_s=1.0,
        )
    return Response(status=204)


@endpoints.endpoint(
    "GET", "/v1/queries/{query_id}/events", parameters=[QUERY_ID], response=AsyncQueryDocument,
    problems=(*PROBLEMS, TOO_MANY_STREAMS),
)  # fmt: skip
def watch_query(query_id: str) -> Response:
    """Watch an asynchronous query: server-sent events, `text/event-stream`.

    An event for each change of state or progress: its type is the state, its data an
    AsyncQueryDocument. The last one is `done`, `failed` or `cancelled`; the stream ends there.
    """
    if services().asynchronous.find(query_id) is None:
        raise unknown(query_id)
    streams = services().event_streams
    return event_response(
        streams.places,
        lambda life_s: streams.events(query_id, lambda query: document(query).model_dump(), life_s),
    )

"""How an asynchronous query answers over HTTP: promised, looked up, and at last with its rows."""

from flask import Response, g

from app.bodies import json_response
from app.formats.kept import kept_answer
from app.formats.responses import Asked
from app.idempotency_key import idempotency_key
from app.models_async import AsyncQueryDocument
from app.preferences import Preferences
from app.problem_types import (
    IDEMPOTENCY_KEY_REUSED,
    QUERY_UNKNOWN,
    TOO_MANY_QUEUED,
)
from app.problems import Problem
from app.queries.asynchronous.errors import KeyReused, TooManyQueued
from app.queries.asynchronous.record import FINISHED, AsyncQuery
from app.queries.asynchronous.service import AsyncQueries
from app.queries.request import QueryInput
from app.repeated_request import is_repeated
from app.waiting_client import patience_s

RETRY_AFTER_S = 1


def promise(
    queries: AsyncQueries, query: QueryInput, preferences: Preferences, form: Asked
) -> Response:
    """Accept the query: 202, or its answer if that is there within `wait`.  Raises Problem."""
    try:
        query_id = queries.accept(query, idempotency_key(), g.request_id, repeated=is_repeated())
    except KeyReused as error:
        raise Problem(
            IDEMPOTENCY_KEY_REUSED,
            "The Idempotency-Key came before with another request. Send a new key.",
        ) from error
    except TooManyQueued as error:
        raise Problem(
            TOO_MANY_QUEUED,
            "As many asynchronous queries wait as are taken in. Send it again later.",
            retry_after_s=RETRY_AFTER_S,
        ) from error
    found = queries.wait(query_id, patience_s(preferences.wait_s or 0.0))
    response = _reply(queries, query_id, found, form)
    if found is not None and found.state not in FINISHED:
        response.status_code = 202
    response.headers["Location"] = f"/v1/queries/{query_id}"
    response.headers["Preference-Applied"] = preferences.applied
    return response


def look_up(queries: AsyncQueries, query_id: str, form: Asked) -> Response:
    """Answer with the query's rows if it is done, else with its state.  Raises Problem."""
    return _reply(queries, query_id, queries.find(query_id), form)


def unknown(query_id: str) -> Problem:
    """Return the problem that there is no such query."""
    return Problem(
        QUERY_UNKNOWN,
        f"No query {query_id} is known: it never was, it is over, or it was kept long enough.",
    )


def document(query: AsyncQuery) -> AsyncQueryDocument:
    """Return what is told of a query."""
    return AsyncQueryDocument(
        query_id=query.id,
        state=query.state,
        attempts=query.attempts,
        fragments_done=query.fragments_done,
        fragments_total=query.fragments_total,
        row_count=query.row_count,
        problem=query.problem,
        created_at=query.created_at,
        started_at=query.started_at,
        finished_at=query.finished_at,
        expires_at=query.expires_at,
    )


def _reply(queries: AsyncQueries, query_id: str, query: AsyncQuery | None, form: Asked) -> Response:
    if query is None:
        raise unknown(query_id)
    if query.state == "done":
        answer = queries.answer(query_id)
        if answer is None:  # deleted in this moment
            raise unknown(query_id)
        response = kept_answer(answer, form, query_id)
    else:
        response = json_response(document(query))
        if query.state not in FINISHED:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
    response.headers["Cache-Control"] = "no-store"
    return response

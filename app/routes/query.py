"""Running queries."""

from flask import Response, request

from app.async_reply import promise
from app.endpoints import Endpoints
from app.formats.choice import JSON
from app.formats.responses import Asked, asked, streamed_answer
from app.models_async import AsyncQueryDocument
from app.models_query import QueryAnswer, QueryRequest
from app.preferences import preferences
from app.problem_types import (
    CANCELLED,
    DATABASE_BUSY,
    DATABASE_CONFLICT,
    DATABASE_FAILED,
    DATABASE_READ_ONLY,
    DATABASE_UNAVAILABLE,
    IDEMPOTENCY_KEY_INVALID,
    IDEMPOTENCY_KEY_REUSED,
    NOT_ACCEPTABLE,
    NOT_SPLITTABLE,
    NOTHING_CACHED,
    OVERLOADED,
    QUERY_TOO_COSTLY,
    SQL_FAILED,
    SQL_INVALID,
    SQL_NOT_PERMITTED,
    SQL_SYNTAX,
    STATEMENT_NOT_ALLOWED,
    TIMED_OUT,
    TOO_MANY_QUEUED,
    VALIDATION_FAILED,
)
from app.problems import FieldError, Problem
from app.queries.request import QueryInput, as_text
from app.queries.settings import QuerySettings
from app.routes.cached_query import cached_answer, query_of_address
from app.services import services

endpoints = Endpoints("query", lane="query")
PROBLEMS = (
    SQL_SYNTAX, SQL_INVALID, SQL_FAILED, SQL_NOT_PERMITTED, STATEMENT_NOT_ALLOWED, NOT_SPLITTABLE,
    QUERY_TOO_COSTLY, TIMED_OUT, CANCELLED, DATABASE_UNAVAILABLE, DATABASE_BUSY, DATABASE_CONFLICT,
    DATABASE_FAILED, DATABASE_READ_ONLY, NOTHING_CACHED, OVERLOADED,
)  # fmt: skip
EXAMPLE = {"sql": "SELECT grp, count(*), avg(v), max(n) FROM numbers GROUP BY grp ORDER BY grp"}


@endpoints.endpoint(
    "POST", "/v1/query", request=QueryRequest, response=QueryAnswer,
    also={202: AsyncQueryDocument}, example=EXAMPLE,
    problems=(
        *PROBLEMS, NOT_ACCEPTABLE, IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_REUSED, TOO_MANY_QUEUED,
    ),
)  # fmt: skip
def run_query(body: QueryRequest) -> Response:
    """Run a query.

    The answer is exactly PostgreSQL's, at one snapshot, whether the query ran whole or in parts.
    Accept, or ?format=, chooses JSON, NDJSON, CSV or Arrow; all but JSON are streamed.

    With `Prefer: respond-async` it is promised for later: 202, and `Location` says where it will
    be. With `respond-async, wait=5` it is awaited for 5 seconds first. With an `Idempotency-Key`
    the same request, sent again, is the same query.
    """
    form = asked()
    preferred = preferences(request.headers.getlist("Prefer"))
    if preferred.respond_async:
        query = query_input(body, services().query_settings.for_async())
        services().queries.vet(query)
        return promise(services().asynchronous, query, preferred, form)
    return answer_now(body, form)


@endpoints.endpoint(
    "GET", "/v1/query", response=QueryAnswer,
    problems=(*PROBLEMS, NOT_ACCEPTABLE, VALIDATION_FAILED),
)  # fmt: skip
def get_query() -> Response:
    """Run a query given in the address.

    The URL's parameters are those of POST: sql, and if need be params (a JSON array),
    max_staleness_s, timeout_s, max_rows, engine and partitions. If-None-Match is obeyed.
    """
    return answer_now(query_of_address(), asked())


def answer_now(body: QueryRequest, form: Asked) -> Response:
    """Answer the current request: as JSON, by way of the cache, or else as a stream."""
    query = query_input(body, services().query_settings, streamed=form.format is not JSON)
    if form.format is not JSON:
        now = services()
        return streamed_answer(now.queries, now.running, now.exports, query, form)
    return cached_answer(query, body.max_staleness_s, form)


def query_input(
    body: QueryRequest, settings: QuerySettings, *, streamed: bool = False
) -> QueryInput:
    """Hold the request to the ceilings.  Raises Problem, naming each field above its own.

    Answers in a `streamed` format may take longer, and have more rows.
    """
    longest_s, time_variable = settings.query_timeout_s, "MILLRACE_QUERY_TIMEOUT_S"
    most_rows, rows_variable = settings.max_rows, "MILLRACE_MAX_ROWS"
    if streamed:
        longest_s, time_variable = settings.export_timeout_s, "MILLRACE_EXPORT_TIMEOUT_S"
        most_rows, rows_variable = settings.max_export_rows, "MILLRACE_MAX_EXPORT_ROWS"
    timeout_s = longest_s if body.timeout_s is None else body.timeout_s
    max_rows = most_rows if body.max_rows is None else body.max_rows
    above = [
        FieldError(pointer, f"{_plain(value)} is above the ceiling of {_plain(most)} ({variable}).",
                   f"Send at most {_plain(most)}, or leave it out.")
        for pointer, value, most, variable in (
            ("/timeout_s", timeout_s, longest_s, time_variable),
            ("/max_rows", max_rows, most_rows, rows_variable),
            ("/partitions", body.partitions or 1, settings.max_fragments, "MILLRACE_MAX_FRAGMENTS"),
        )
        if value > most
    ]  # fmt: skip
    if above:
        detail = " ".join(f"{error.pointer}: {error.reason} {error.remedy}" for error in above)
        raise Problem(VALIDATION_FAILED, detail, errors=above)
    params = tuple(as_text(value) for value in body.params)
    return QueryInput(body.sql, params, timeout_s, max_rows, body.engine, body.partitions)


def _plain(number: float) -> str:
    return f"{number:.10g}"

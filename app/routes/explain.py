"""Explaining queries."""

from dataclasses import replace

from flask import g, request

from app.endpoints import Endpoints
from app.explanation_document import explanation_document
from app.models_explain import QueryExplanation
from app.models_query import QueryRequest
from app.problem_types import (
    NOT_SPLITTABLE,
    NOTHING_CACHED,
    OVERLOADED,
    VALIDATION_FAILED,
)
from app.problems import FieldError, Problem
from app.routes.query import EXAMPLE, PROBLEMS, query_input
from app.services import services
from app.waiting_client import client_socket, patience_s

endpoints = Endpoints("query", lane="query")


@endpoints.endpoint(
    "POST", "/v1/query/explain", request=QueryRequest, response=QueryExplanation, example=EXAMPLE,
    problems=[
        problem for problem in PROBLEMS
        if problem not in (NOT_SPLITTABLE, NOTHING_CACHED, OVERLOADED)
    ],
)  # fmt: skip
def explain_query(body: QueryRequest) -> QueryExplanation:
    """Explain how a query would run.

    Nothing is run: neither the query nor its parts. With ?analyze=1 it is run, past the cache, its
    rows are dropped, and each part says what it took; a query that runs whole brings PostgreSQL's
    own EXPLAIN (ANALYZE, BUFFERS).
    """
    analyze = _analyze()
    settings = services().query_settings
    asked = query_input(body, settings)
    query = replace(asked, timeout_s=patience_s(asked.timeout_s))
    with services().running.track(g.request_id, query.timeout_s, client_socket()) as control:
        found = services().queries.explain(query, control, analyze=analyze)
    return explanation_document(found, services().cache.answers.lookup(asked), query, settings)


def _analyze() -> bool:
    given = request.args.get("analyze", "0")
    if given not in ("0", "1"):
        reason = "The URL's parameter analyze is neither 0 nor 1."
        wrong = FieldError("/analyze", reason, "Send 1 to have the query run.")
        raise Problem(VALIDATION_FAILED, f"{reason} {wrong.remedy}", errors=[wrong])
    return given == "1"

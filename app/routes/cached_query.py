"""Answers by way of the cache, with what HTTP says about them (RFC 9110, 9111, 9211)."""

import json
from typing import Any

import structlog
from flask import Response, g, request
from pydantic import ValidationError

from app.cache.policy import policy_of
from app.formats.responses import Asked, History, json_answer
from app.models_query import QueryRequest
from app.problem_types import VALIDATION_FAILED
from app.problems import FieldError, Problem
from app.queries.request import QueryInput
from app.services import services
from app.validation import field_errors
from app.waiting_client import client_socket, patience_s

TEXTS = ("sql", "engine")
PRESENTATION = ("numbers", "format")


def cached_answer(query: QueryInput, max_staleness_s: float | None, form: Asked) -> Response:
    """Answer the current request as JSON, from the cache where it holds the answer."""
    structlog.contextvars.bind_contextvars(query_id=g.request_id)
    policy = policy_of(max_staleness_s, request.headers.get("Cache-Control", ""))
    with services().running.track(
        g.request_id, patience_s(query.timeout_s), client_socket()
    ) as control:
        found = services().cache.answers.answer(query, policy, control)
    history = History(found.status.origin, found.age_s, found.stale)
    response = json_answer(found.answer, form, history=history)
    response.headers["Age"] = str(int(found.age_s))
    response.headers["Cache-Status"] = found.status.header()
    # one validator for each form of the content
    marks = ["s" if form.numbers_as_strings else "", response.headers.get("Content-Encoding", "")]
    response.set_etag("-".join([found.etag, *filter(None, marks)]))
    if request.method == "POST":
        return response
    if found.status.ttl_s is None or found.stale:
        response.headers["Cache-Control"] = "private, no-cache"
        return response
    ttl_s = services().cache.settings.cache_ttl_s
    response.headers["Cache-Control"] = f"private, max-age={int(ttl_s)}"
    response.make_conditional(request)
    return response


def query_of_address() -> QueryRequest:
    """Return the request that the URL's parameters make.  Raises Problem."""
    members: dict[str, Any] = {}
    for name, text in request.args.items():
        if name in PRESENTATION:
            continue
        try:
            members[name] = text if name in TEXTS else json.loads(text)
        except ValueError as error:
            reason = f"The URL's parameter {name} is no JSON."
            remedy = 'Send a number, or for params an array: ["a",1].'
            wrong = FieldError(f"/{name}", reason, remedy)
            raise Problem(VALIDATION_FAILED, reason, errors=[wrong]) from error
    try:
        return QueryRequest.model_validate_json(json.dumps(members))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        errors = field_errors(QueryRequest, details)
        detail = f"{errors[0].pointer}: {errors[0].reason} {errors[0].remedy}"
        raise Problem(VALIDATION_FAILED, detail, errors=errors) from error

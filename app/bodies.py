"""Reading a request's JSON body into a model, and answering with JSON."""

import re
from typing import TypeVar

from flask import Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected

from app.problem_types import MALFORMED_JSON, UNSUPPORTED_MEDIA_TYPE, VALIDATION_FAILED
from app.problems import Problem
from app.validation import field_errors

ModelT = TypeVar("ModelT", bound=BaseModel)

_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.!#$&^_-]+\+)?json")


def parse_body(model: type[ModelT]) -> ModelT:
    """Return the current request's body as a `model`.

    Raises Problem: 415 for another media type, 400 for what isn't JSON, 422 for what does not fit
    the model; and werkzeug's RequestEntityTooLarge, before anything is read when the length is
    announced.
    """
    if not _JSON_TYPE.fullmatch(request.mimetype):
        given = f"'{request.mimetype}'" if request.mimetype else "no Content-Type"
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE,
            f"The body came with {given}. Send the header Content-Type: application/json.",
            headers={"Accept-Post": "application/json"},
        )
    try:
        return model.model_validate_json(_whole_body())
    except ValidationError as error:
        raise refused(model, error) from error


def _whole_body() -> bytes:
    length, most = request.content_length, request.max_content_length
    if length is None or (most is not None and length > most):
        return request.get_data(cache=False)
    # straight from the server: werkzeug's layers around it take longer than reading a small body
    body: bytes = request.environ["wsgi.input"].read(length)
    if len(body) < length:
        raise ClientDisconnected
    return body


def refused(model: type[BaseModel], error: ValidationError) -> Problem:
    """Return the problem of what is not JSON (400) or does not fit `model` (422)."""
    details = error.errors(include_url=False, include_input=False)
    first = details[0]
    if first["type"] == "json_invalid":
        reason = str(first.get("ctx", {}).get("error", first["msg"]))
        return Problem(MALFORMED_JSON, f"The body is not valid JSON: {reason}.")
    errors = field_errors(model, details)
    where = errors[0].pointer or "The body"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return Problem(
        VALIDATION_FAILED,
        f"{where}: {errors[0].reason} {errors[0].remedy}{more}",
        errors=errors,
    )


def json_response(body: bytes | BaseModel, status: int = 200) -> Response:
    """Return a JSON response of a model, or of bytes that are JSON already."""
    data = body if isinstance(body, bytes) else body.model_dump_json().encode()
    return Response(data, status, content_type="application/json")

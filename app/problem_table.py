"""One table: exception class → problem.  What is not in it is a defect, and answers 500."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
)

from app.problem_types import (
    BAD_REQUEST,
    BODY_TOO_LARGE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNEXPECTED_STATUS,
)
from app.problems import Problem, ProblemType

Row = ProblemType | Callable[[Any], Problem]


def _http_error(kind: ProblemType, detail: str | None = None) -> Callable[[HTTPException], Problem]:
    """Keep the headers of an error of the HTTP layer, such as Allow; replace its HTML."""

    def translate(error: HTTPException) -> Problem:
        headers = {name: text for name, text in error.get_headers() if name != "Content-Type"}
        return Problem(kind, detail or error.description or kind.meaning, headers=headers)

    return translate


def _other_http_error(error: HTTPException) -> Problem:
    kind = replace(UNEXPECTED_STATUS, status=error.code or 500, title=error.name)
    return _http_error(kind)(error)


# A row is a problem type, with the exception's text as the detail, or a function that makes the
# problem.  The nearest class in the exception's ancestry wins.
TABLE: Mapping[type[Exception], Row] = {
    BadRequest: _http_error(BAD_REQUEST),
    NotFound: _http_error(NOT_FOUND, NOT_FOUND.meaning),
    MethodNotAllowed: _http_error(METHOD_NOT_ALLOWED, METHOD_NOT_ALLOWED.meaning),
    RequestEntityTooLarge: _http_error(BODY_TOO_LARGE, BODY_TOO_LARGE.meaning),
    HTTPException: _other_http_error,
}


def problem_for(error: Exception, table: Mapping[type[Exception], Row] = TABLE) -> Problem | None:
    """Return the problem that `error` is answered with; None when the table does not know it."""
    if isinstance(error, Problem):
        return error
    row = next((table[cls] for cls in type(error).__mro__ if cls in table), None)
    if row is None:
        return None
    return Problem(row, str(error)) if isinstance(row, ProblemType) else row(error)

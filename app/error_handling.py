"""Every error leaves as a problem document: no traceback, no HTML, nothing internal."""

import structlog
from flask import Flask, Response
from werkzeug.exceptions import InternalServerError

from app.problem_table import problem_for
from app.problem_types import INTERNAL_ERROR
from app.problems import Problem

_log = structlog.stdlib.get_logger("app.errors")


def register_error_handling(app: Flask) -> None:
    """Answer whatever a view of `app` raises by the table of problems."""

    @app.errorhandler(Exception)
    def answer(error: Exception) -> Response:
        if isinstance(error, InternalServerError):  # Flask's wrapping around what a hook raised
            error = error.original_exception or error  # type: ignore[assignment]
        problem = None if isinstance(error, InternalServerError) else problem_for(error)
        if problem is None:
            _log.error("unexpected error", exc_info=error)
            problem = Problem(
                INTERNAL_ERROR,
                "The replica failed while it answered. Its log holds the details under the "
                "request id in `instance`; please report it.",
            )
        elif problem.kind.status >= 500:
            _log.warning("request failed", problem=problem.kind.slug, reason=str(error))
        return problem.response()

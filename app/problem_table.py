"""One table: exception class → problem.  What is not in it is a defect, and answers 500."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog
from flask import current_app
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
)

from app.digests.errors import NotTaken, StoreUnsure
from app.passwords.errors import PasswordsBusy, WorkerFailed
from app.problem_types import (
    ALGORITHM_OUT_OF_SERVICE,
    BAD_REQUEST,
    BODY_TOO_LARGE,
    CURSOR_INVALID,
    DATABASE_BUSY,
    DATABASE_READ_ONLY,
    DATABASE_UNAVAILABLE,
    DIGEST_STORE_BUSY,
    DIGEST_STORE_UNSURE,
    GIVEN_UP,
    INTERNAL_ERROR,
    JOB_STATE_UNFIT,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    OVERLOADED,
    PASSWORDS_BUSY,
    QUEUE_UNAVAILABLE,
    RESULT_TOO_LARGE,
    TIMED_OUT,
    UNEXPECTED_STATUS,
    UPLOAD_COMPLETE,
    UPLOAD_IN_USE,
    UPLOAD_INCOMPLETE,
    UPLOAD_UNKNOWN,
    VALIDATION_FAILED,
)
from app.problems import FieldError, Problem, ProblemType
from app.queries.asynchronous.errors import GivenUp, ResultTooLarge
from app.queries.errors import Overloaded
from app.queries.problems import query_problem, sql_problem
from app.queries.sql_error import SqlError
from app.uploads.problems import digest_wrong, offset_wrong, too_many
from db.breaker_board import BoardUnavailable
from db.errors import CheckoutTimeout, DatabaseReadOnly, DatabaseUnavailable
from hashing.errors import OptionRefused, OutOfService
from jobs.errors import CursorMalformed, NotPossible
from jobs.upload_errors import (
    DigestWrong,
    OffsetWrong,
    TooManyUploads,
    UploadComplete,
    UploadIncomplete,
    UploadInUse,
    UploadTooLarge,
    UploadUnknown,
)
from query.errors import QueryError
from tasks.errors import GatherTimeout, QueueError

_log = structlog.stdlib.get_logger("app.errors")

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


def _too_large(error: RequestEntityTooLarge) -> Problem:
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    detail = f"The body is larger than {limit} bytes. Send less at once."
    return _http_error(BODY_TOO_LARGE, detail)(error)


def _database_unavailable(error: DatabaseUnavailable) -> Problem:
    # its text can name hosts and roles, which are the log's business
    return Problem(
        DATABASE_UNAVAILABLE,
        "PostgreSQL cannot be reached just now. Try again after the time in Retry-After.",
        retry_after_s=error.retry_after_s,
    )


def _database_read_only(error: DatabaseReadOnly) -> Problem:
    return Problem(DATABASE_READ_ONLY, str(error), retry_after_s=error.retry_after_s)


def _database_busy(error: CheckoutTimeout) -> Problem:
    return Problem(DATABASE_BUSY, str(error), retry_after_s=1.0)


def _queue_unavailable(_error: Exception) -> Problem:
    return Problem(
        QUEUE_UNAVAILABLE,
        "The task queue cannot be used just now. Try again after the time in Retry-After.",
        retry_after_s=1.0,
    )


def _option_refused(error: OptionRefused) -> Problem:
    place = f"/{error.option}"
    return Problem(
        VALIDATION_FAILED,
        f"{place}: {error.reason} {error.remedy}",
        errors=[FieldError(place, error.reason, error.remedy)],
    )


def _out_of_service(error: OutOfService) -> Problem:
    # only a restart can help this replica; the balancer may send the client to another meanwhile
    return Problem(ALGORITHM_OUT_OF_SERVICE, str(error), retry_after_s=5.0)


def _job_state_unfit(error: NotPossible) -> Problem:
    return Problem(JOB_STATE_UNFIT, str(error), extra={"state": error.state})


def _not_taken(error: NotTaken) -> Problem:
    return Problem(DIGEST_STORE_BUSY, f"{error} Nothing was stored.", retry_after_s=1.0)


def _store_unsure(error: StoreUnsure) -> Problem:
    detail = f"{error} Send it again: at worst it is counted twice."
    return Problem(DIGEST_STORE_UNSURE, detail, retry_after_s=1.0)


def _passwords_busy(error: PasswordsBusy) -> Problem:
    return Problem(PASSWORDS_BUSY, str(error), retry_after_s=error.retry_after_s)


def _overloaded(error: Overloaded) -> Problem:
    retry_after_s = max(1, math.ceil(error.retry_after_s))
    return Problem(
        OVERLOADED, str(error),
        extra={"retry_after_s": retry_after_s}, retry_after_s=retry_after_s,
    )  # fmt: skip


def _worker_failed(error: WorkerFailed) -> Problem:
    return Problem(QUEUE_UNAVAILABLE, str(error), retry_after_s=1.0)


# A row is a problem type, with the exception's text as the detail, or a function that makes the
# problem.  The nearest class in the exception's ancestry wins.
TABLE: Mapping[type[Exception], Row] = {
    BadRequest: _http_error(BAD_REQUEST),
    NotFound: _http_error(NOT_FOUND, NOT_FOUND.meaning),
    MethodNotAllowed: _http_error(METHOD_NOT_ALLOWED, METHOD_NOT_ALLOWED.meaning),
    RequestEntityTooLarge: _too_large,
    HTTPException: _other_http_error,
    DatabaseUnavailable: _database_unavailable,
    DatabaseReadOnly: _database_read_only,
    CheckoutTimeout: _database_busy,
    BoardUnavailable: _queue_unavailable,
    QueueError: _queue_unavailable,
    GatherTimeout: TIMED_OUT,
    NotPossible: _job_state_unfit,
    CursorMalformed: CURSOR_INVALID,
    OptionRefused: _option_refused,
    OutOfService: _out_of_service,
    NotTaken: _not_taken,
    StoreUnsure: _store_unsure,
    PasswordsBusy: _passwords_busy,
    WorkerFailed: _worker_failed,
    GivenUp: GIVEN_UP,
    ResultTooLarge: RESULT_TOO_LARGE,
    SqlError: sql_problem,
    Overloaded: _overloaded,
    QueryError: query_problem,
    UploadUnknown: UPLOAD_UNKNOWN,
    OffsetWrong: offset_wrong,
    UploadComplete: UPLOAD_COMPLETE,
    UploadIncomplete: UPLOAD_INCOMPLETE,
    UploadInUse: UPLOAD_IN_USE,
    UploadTooLarge: BODY_TOO_LARGE,
    TooManyUploads: too_many,
    DigestWrong: digest_wrong,
}


def problem_for(error: Exception, table: Mapping[type[Exception], Row] = TABLE) -> Problem | None:
    """Return the problem that `error` is answered with; None when the table does not know it."""
    if isinstance(error, Problem):
        return error
    row = next((table[cls] for cls in type(error).__mro__ if cls in table), None)
    if row is None:
        return None
    return Problem(row, str(error)) if isinstance(row, ProblemType) else row(error)


def problem_document(error: Exception, instance: str) -> dict[str, Any]:
    """Return the problem document of an error that nobody waits for; defects are logged."""
    problem = problem_for(error)
    if problem is None:
        _log.error("defect", instance=instance, exc_info=error)
        problem = Problem(INTERNAL_ERROR, "The replica failed; its log says more, under this id.")
    return problem.document(instance)


def title_of(error: Exception) -> str:
    """Return what may be said of `error` in public: its problem's title."""
    problem = problem_for(error)
    return problem.kind.title if problem is not None else "It fails in an unexpected way"

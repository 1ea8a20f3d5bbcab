"""A query's errors as problems: SQLSTATE decides the status.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from typing import Any

from app.cache.errors import NothingCached
from app.problem_types import (
    CANCELLED,
    DATABASE_CONFLICT,
    DATABASE_FAILED,
    DATABASE_UNAVAILABLE,
    NOT_SPLITTABLE,
    NOTHING_CACHED,
    QUERY_TOO_COSTLY,
    SQL_FAILED,
    SQL_INVALID,
    SQL_NOT_PERMITTED,
    SQL_SYNTAX,
    STATEMENT_NOT_ALLOWED,
    TIMED_OUT,
    VALIDATION_FAILED,
)
from app.problems import FieldError, Problem, ProblemType
from app.queries.errors import Cancelled, DeadlinePassed
from app.queries.sql_error import SqlError
from query.errors import (
    NotSplittable,
    ParametersRefused,
    QueryError,
    QueryTooCostly,
    StatementRefused,
    SyntaxRefused,
)

# The longest prefix of the SQLSTATE wins.  Those of db.sqlstate never come so far: the pool makes
# them DatabaseUnavailable.
BY_SQLSTATE: dict[str, ProblemType] = {
    "0A": SQL_INVALID,  # feature not supported
    "08": DATABASE_UNAVAILABLE,  # connection exception
    "25006": SQL_NOT_PERMITTED,  # read-only transaction
    "28": SQL_NOT_PERMITTED,  # invalid authorization
    "3D": SQL_INVALID,  # no such database
    "3F": SQL_INVALID,  # no such schema
    "40": DATABASE_CONFLICT,  # serialization failure, deadlock, conflict with recovery
    "42": SQL_INVALID,  # names and types
    "42501": SQL_NOT_PERMITTED,  # insufficient privilege
    "42601": SQL_SYNTAX,
    "53": DATABASE_UNAVAILABLE,  # insufficient resources
    "53400": SQL_FAILED,  # a limit of the reader's, such as temp_file_limit
    "55": SQL_FAILED,  # object not in the state that it should be in
    "55P03": DATABASE_CONFLICT,  # lock not available
    "57014": TIMED_OUT,  # query cancelled
    "57P0": DATABASE_UNAVAILABLE,  # shutdown
    "58": DATABASE_UNAVAILABLE,  # system error
    "F0": DATABASE_FAILED,  # configuration file
    "HV": DATABASE_FAILED,  # foreign data wrapper
    "XX": DATABASE_FAILED,  # internal error, corrupted data
}
BY_CLASS: dict[type[QueryError], ProblemType] = {
    Cancelled: CANCELLED,
    DeadlinePassed: TIMED_OUT,
    NotSplittable: NOT_SPLITTABLE,
    NothingCached: NOTHING_CACHED,
    QueryTooCostly: QUERY_TOO_COSTLY,
    ParametersRefused: VALIDATION_FAILED,
    StatementRefused: STATEMENT_NOT_ALLOWED,
    SyntaxRefused: SQL_SYNTAX,
}
RETRY_AFTER_S = 1.0
REMEDIES = {
    "42703": "Check the column's name.",
    "42883": "Check the function's name and the types of its arguments; add casts where needed.",
    "42P02": "Give a value for each parameter in params.",
}


def kind_of(sqlstate: str) -> ProblemType:
    """Return the problem type for an SQLSTATE; SQL_FAILED for what is about values and limits."""
    for length in (5, 4, 2):
        if sqlstate[:length] in BY_SQLSTATE:
            return BY_SQLSTATE[sqlstate[:length]]
    return SQL_FAILED


def sql_problem(error: SqlError) -> Problem:
    """Return PostgreSQL's refusal, in its own words, with what else it says as members."""
    parts = [f"{error.message.rstrip('.')}."]
    if error.detail:
        parts.append(error.detail)
    hint = error.hint or REMEDIES.get(error.sqlstate)
    if hint:
        parts.append(hint)
    extra: dict[str, Any] = {"sqlstate": error.sqlstate}
    if error.position is not None:
        extra["position"] = error.position
    if hint:
        extra["hint"] = hint
    kind = kind_of(error.sqlstate)
    retry_after_s = RETRY_AFTER_S if kind == DATABASE_CONFLICT else None
    return Problem(kind, " ".join(parts), extra=extra, retry_after_s=retry_after_s)


def query_problem(error: QueryError) -> Problem:
    """Return a refusal of our own."""
    kind = next(BY_CLASS[cls] for cls in type(error).__mro__ if cls in BY_CLASS)
    if isinstance(error, ParametersRefused):
        return Problem(kind, str(error), errors=[FieldError("/params", error.reason, error.remedy)])
    extra = {} if error.position is None else {"position": error.position}
    return Problem(kind, str(error), extra=extra)

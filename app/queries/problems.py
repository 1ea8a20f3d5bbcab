"""A query's errors as problems: SQLSTATE decides the status.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from typing import Any

from app.problem_types import (
    CANCELLED,
    NOT_SPLITTABLE,
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
    StatementRefused,
    SyntaxRefused,
)

# the longest prefix of the SQLSTATE wins
BY_SQLSTATE: dict[str, ProblemType] = {
    "25006": SQL_NOT_PERMITTED,  # read-only transaction
    "42": SQL_INVALID,
    "42501": SQL_NOT_PERMITTED,
    "42601": SQL_SYNTAX,
    "57014": TIMED_OUT,
}
BY_CLASS: dict[type[QueryError], ProblemType] = {
    Cancelled: CANCELLED,
    DeadlinePassed: TIMED_OUT,
    NotSplittable: NOT_SPLITTABLE,
    ParametersRefused: VALIDATION_FAILED,
    StatementRefused: STATEMENT_NOT_ALLOWED,
    SyntaxRefused: SQL_SYNTAX,
}
REMEDIES = {
    "42703": "Check the column's name.",
    "42883": "Check the function's name and the types of its arguments; add casts where needed.",
    "42P02": "Give a value for each parameter in params.",
}


def kind_of(sqlstate: str) -> ProblemType:
    """Return the problem type for an SQLSTATE about a user's SQL; SQL_FAILED for all others."""
    for length in (5, 2):
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
    return Problem(kind_of(error.sqlstate), " ".join(parts), extra=extra)


def query_problem(error: QueryError) -> Problem:
    """Return a refusal of our own."""
    kind = next(BY_CLASS[cls] for cls in type(error).__mro__ if cls in BY_CLASS)
    if isinstance(error, ParametersRefused):
        return Problem(kind, str(error), errors=[FieldError("/params", error.reason, error.remedy)])
    extra = {} if error.position is None else {"position": error.position}
    return Problem(kind, str(error), extra=extra)

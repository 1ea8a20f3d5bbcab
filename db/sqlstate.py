"""Which errors tell that PostgreSQL, not somebody's SQL, is in trouble."""

import psycopg

from db.breaker import Outcome
from db.errors import BreakerOpen, DatabaseReadOnly, DatabaseUnavailable

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_INFRASTRUCTURE = (
    "08",  # connection exception
    "53",  # insufficient resources: disk full, out of memory, too many connections
    "57P0",  # shutdown, crash, cannot connect now, database dropped
    "58",  # system error: I/O
)
_CAUSED_BY_SQL = frozenset({
    "53400",  # a limit that an operator set, such as temp_file_limit, was hit by one query
})  # fmt: skip


def is_infrastructure(sqlstate: str) -> bool:
    """Tell whether this five-character SQLSTATE is about the server rather than about the SQL."""
    return sqlstate.startswith(_INFRASTRUCTURE) and sqlstate not in _CAUSED_BY_SQL


def sqlstate_of(error: BaseException | None) -> str | None:
    """Return the SQLSTATE of `error`, or of the psycopg error that it was raised from."""
    while error is not None:
        if isinstance(error, psycopg.Error) and error.sqlstate is not None:
            return error.sqlstate
        error = error.__cause__
    return None


def judge(error: BaseException) -> Outcome:
    """Tell the breaker what an error says about PostgreSQL.

    A report of PostgreSQL on somebody's SQL (a timeout that they asked for, too) proves that it
    works.  Our own errors, and a caller that gave up, prove nothing either way.
    """
    if isinstance(error, BreakerOpen):
        return "unknown"
    if isinstance(error, DatabaseReadOnly):
        return "success"  # what only reads works
    if isinstance(error, DatabaseUnavailable):
        return "failure"
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return "failure" if is_infrastructure(error.sqlstate) else "success"
    return "unknown"

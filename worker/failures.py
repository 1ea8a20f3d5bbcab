"""Why a fragment has no partial: errors of any kind, told to the one who asked."""

import psycopg

from db.errors import DatabaseError
from query.fragment import FragmentError

QUERY_CANCELED = "57014"  # statement_timeout as well as a cancel request
LOCK_NOT_AVAILABLE = "55P03"


class SnapshotGone(Exception):
    """The exported snapshot cannot be imported: its transaction has ended."""


class PartialTooLarge(Exception):
    """The fragment's result is above its limits."""


class OutOfTime(Exception):
    """Nothing is left of the task's budget."""


def fragment_error(error: Exception) -> FragmentError:
    """Translate what running a fragment raised."""
    match error:
        case psycopg.Error(sqlstate=str(sqlstate)):
            late = sqlstate in {QUERY_CANCELED, LOCK_NOT_AVAILABLE}
            return FragmentError(
                "timeout" if late else "sql",
                error.diag.message_primary or str(error),
                sqlstate,
                error.diag.message_detail,
                error.diag.message_hint,
            )
        case psycopg.Error() | DatabaseError():
            return FragmentError("database", str(error))
        case SnapshotGone():
            return FragmentError("snapshot", str(error))
        case PartialTooLarge():
            return FragmentError("too_large", str(error))
        case OutOfTime():
            return FragmentError("timeout", str(error))
        case _:
            return FragmentError("internal", f"{type(error).__name__}: {error}")

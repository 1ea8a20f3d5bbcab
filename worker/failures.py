"""Why a fragment has no partial: errors of any kind, told to the one who asked."""

from collections.abc import Sequence

import psycopg

from columnar.errors import AnswerTooLarge, EngineRefuses
from columnar.errors import OutOfTime as EngineOutOfTime
from db.errors import DatabaseError
from query.fragment import SEGMENT, FragmentError

QUERY_CANCELED = "57014"  # statement_timeout as well as a cancel request
LOCK_NOT_AVAILABLE = "55P03"


class SnapshotGone(Exception):
    """The exported snapshot cannot be imported: its transaction has ended."""


class SegmentsUnreadable(Exception):
    """Files of segments, by their `names`, are not what was written, or gone."""

    def __init__(self, names: Sequence[str], reason: str) -> None:
        super().__init__(reason)
        self.names = names


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
        case SegmentsUnreadable():
            return FragmentError(SEGMENT, str(error), detail="\n".join(error.names))
        case PartialTooLarge() | AnswerTooLarge():
            return FragmentError("too_large", str(error))
        case EngineRefuses():
            return FragmentError("columnar", str(error))
        case OutOfTime() | EngineOutOfTime():
            return FragmentError("timeout", str(error))
        case _:
            return FragmentError("internal", f"{type(error).__name__}: {error}")

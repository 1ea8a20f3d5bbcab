"""What makes a columnar query go another way."""

from collections.abc import Sequence
from typing import Literal

from app.queries.errors import RunWhole
from db.tracking.tracked_table import TrackedTable
from query.aggregates import CannotSplit

# why a query of accelerated tables does not run over segments: bounded, for a metric
Cause = Literal[
    "cheap", "not_accelerated", "expression", "shape", "dirty", "tracking", "slower", "workers",
    "list", "failed",
]  # fmt: skip


class NotOverSegments(CannotSplit):
    """PostgreSQL runs it; `cause` is that in a word."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause: Cause = cause


class LockFirst(Exception):
    """Accelerated tables stand behind views: the transaction is to begin anew, with all locked."""

    def __init__(self, tables: Sequence[TrackedTable]) -> None:
        super().__init__(", ".join(table.name for table in tables))
        self.tables = tables


class SegmentsBroken(RunWhole):
    """Files of segments are not what was written; by their `names` they are left out now."""

    def __init__(self, names: Sequence[str], reason: str) -> None:
        super().__init__(reason)
        self.names = frozenset(names)

"""What can keep a table from being tracked, by cause."""

from db.errors import DatabaseError


class TrackingError(DatabaseError):
    """Root of this package's errors; the message says what happened and what to do."""


class TableRefused(TrackingError):
    """The table cannot be kept exact.  `code` is the refusal's, of db/tracking/refusals.py."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TableBusy(TrackingError):
    """Somebody holds a lock on the table for longer than we make others wait; try again later."""


class NotTracked(TrackingError):
    """The table is not accelerated, or its tracking is broken."""


class CutsDoNotFit(TrackingError):
    """Bounds that are not in order, or buckets that would not cover what those before them did."""


class NameMalformed(TrackingError):
    """What should be a table's name is none."""

"""What can go wrong with segments, by cause."""


class SegmentError(Exception):
    """Root of this package's errors; the message says what happened and what to do."""


class SegmentDamaged(SegmentError):
    """A file is missing, or is not what was written; its range has to be read from PostgreSQL."""


class FolderFull(SegmentError):
    """Segments would take more than they may; raise MILLRACE_SEGMENTS_MAX_MB, or make room."""


class TableUntracked(SegmentError):
    """The table's changes may go unnoticed, so that no copy can be made of it."""


class NothingToCopy(SegmentError):
    """No column of the table has a type, and values, that could be copied exactly."""


class RowTooLarge(SegmentError):
    """A row is larger than what is read at once; raise MILLRACE_SEGMENTS_READ_MB."""


class TooManyRows(SegmentError):
    """A query would fetch more rows than it may."""


class ColumnUnfit(SegmentError):
    """A column holds a value that its type here cannot; it has to be left out."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.reason = reason


class Interrupted(SegmentError):
    """Whoever builds was told to stop."""

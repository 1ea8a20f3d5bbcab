"""How a run ends without an answer."""


class ColumnarError(Exception):
    """Root of this package's errors."""


class EngineRefuses(ColumnarError):
    """DuckDB raised an error: the fragment is to run on PostgreSQL, whose word counts."""


class FileUnreadable(EngineRefuses):
    """A file is missing, or not what it should be."""


class OutOfTime(ColumnarError):
    """The deadline passed, or the run was cancelled."""


class AnswerTooLarge(ColumnarError):
    """The answer has more rows or bytes than are allowed."""

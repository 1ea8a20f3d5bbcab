"""What planning can refuse, each with a code, a reason and a remedy."""


class QueryError(Exception):
    """Root of this package's errors.

    `code` is stable and becomes the problem's type; `remedy` tells the user what to do next;
    `position` is the offset in characters into the SQL, from 1, where it is known.
    """

    code = "query-refused"

    def __init__(self, reason: str, remedy: str, *, position: int | None = None) -> None:
        super().__init__(f"{reason} {remedy}".strip())
        self.reason = reason
        self.remedy = remedy
        self.position = position


class SyntaxRefused(QueryError):
    """The text is not SQL that we can read."""

    code = "sql-syntax"


class StatementRefused(QueryError):
    """The text is SQL, but not exactly one statement that only reads."""

    code = "statement-not-allowed"


class ParametersRefused(QueryError):
    """The number of values is not that of the parameters in the SQL."""

    code = "parameters"


class NotSplittable(QueryError):
    """A partitioned plan was asked for, and the query cannot be split exactly."""

    code = "not-splittable"


class QueryTooCostly(QueryError):
    """PostgreSQL estimates more work than a query may cause."""

    code = "query-too-costly"

    def __init__(self, cost: float, ceiling: float) -> None:
        super().__init__(
            f"PostgreSQL estimates a cost of {cost:.4g}, and {ceiling:.4g} is allowed.",
            "Restrict or join what it reads, or have MILLRACE_MAX_QUERY_COST raised.",
        )
        self.cost = cost

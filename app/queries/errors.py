"""What can go wrong with a query here; PostgreSQL's own errors keep their SQLSTATE."""

from query.errors import QueryError


class DeadlinePassed(QueryError):
    """The time that the request gave is over."""

    code = "query-timeout"

    def __init__(self) -> None:
        super().__init__("The query did not finish in time.", "Allow more time, or ask for less.")


class Cancelled(QueryError):
    """Somebody ended the query before it had an answer; `cause` says who."""

    code = "query-cancelled"

    def __init__(self, cause: str) -> None:
        super().__init__(f"The query was cancelled: {cause}.", "Send it again if it is wanted.")
        self.cause = cause


class Overloaded(QueryError):
    """Neither workers nor PostgreSQL have room for a costly query; try after `retry_after_s`."""

    code = "overloaded"

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(
            f"Workers have no room for this query ({reason}), and as many costly ones as may do so "
            "run without them.",
            "Send it again after the time in Retry-After.",
        )
        self.retry_after_s = retry_after_s


class RunWhole(Exception):
    """The partitioned way was left; `reason` says why, and the query runs direct.

    `busy_s`: because workers have no room, for so long at a guess; None: for any other reason.
    """

    def __init__(self, reason: str, busy_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.busy_s = busy_s

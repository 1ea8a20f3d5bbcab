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


class RunWhole(Exception):
    """The partitioned way was left; `reason` says why, and the query runs direct."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

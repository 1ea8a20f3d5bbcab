"""What can go wrong with a query here; PostgreSQL's own errors keep their SQLSTATE."""

from query.errors import QueryError


class DeadlinePassed(QueryError):
    """The time that the request gave is over."""

    code = "query-timeout"

    def __init__(self) -> None:
        super().__init__("The query did not finish in time.", "Allow more time, or ask for less.")


class RunWhole(Exception):
    """The partitioned way was left; `reason` says why, and the query runs direct."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

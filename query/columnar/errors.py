"""Why a query is not rendered."""

from query.errors import QueryError


class NotColumnar(QueryError):
    """The query runs on PostgreSQL: `expression`, a part of it, is not on the list; `why`."""

    code = "not-columnar"

    def __init__(self, expression: str, why: str) -> None:
        super().__init__(f"{expression}: {why}", "")
        self.expression = expression
        self.why = why

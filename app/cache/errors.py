"""What the cache can refuse."""

from query.errors import QueryError


class NothingCached(QueryError):
    """The request takes only an answer that is there already, and there is none."""

    code = "nothing-cached"

    def __init__(self) -> None:
        super().__init__(
            "There is no answer that was computed before.",
            "Send it without only-if-cached to have it computed.",
        )

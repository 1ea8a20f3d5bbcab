"""What can go wrong with asynchronous queries, beyond what can with any query."""


class KeyReused(Exception):
    """The idempotency key was used for another request."""


class TooManyQueued(Exception):
    """So many queries wait that another one is not taken in."""


class ResultTooLarge(Exception):
    """The answer is larger than what is kept."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The answer takes {size} bytes, and {limit} are kept at most. Ask for fewer rows."
        )


class GivenUp(Exception):
    """Whoever ran the query died, too often."""

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f"The query was begun {attempts} times, and each time the replica that ran it died or "
            "lost touch. It may be the query that does that: ask for less at once."
        )

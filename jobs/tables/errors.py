"""What keeps a table from being read or compared."""


class TableRefused(Exception):
    """The tables, or what is asked of them, do not fit.

    `place` leads to the parameter that is wrong, `remedy` says what to do about it.
    """

    def __init__(self, place: tuple[str, ...], reason: str, remedy: str) -> None:
        super().__init__(f"{'/'.join(place)}: {reason} {remedy}")
        self.place = place
        self.reason = reason
        self.remedy = remedy

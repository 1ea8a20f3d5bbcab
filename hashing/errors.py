"""What can go wrong with hashing."""


class HashingError(Exception):
    """Root of this package's errors."""


class UnknownAlgorithm(HashingError):
    """The registry has no algorithm of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no algorithm '{name}'.")
        self.name = name


class OutOfService(HashingError):
    """The algorithm failed its self-test in this process: what it returns would be wrong."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The algorithm '{name}' is out of service: {reason}")
        self.name = name
        self.reason = reason


class OptionRefused(HashingError):
    """An option does not fit the algorithm; `option` names it, `remedy` says what to do."""

    def __init__(self, option: str, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.option = option
        self.reason = reason
        self.remedy = remedy


class TextRefused(HashingError):
    """A text is not in the encoding that it is said to be in."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy


class RowRefused(HashingError):
    """A row holds a value that has no canonical encoding; `column` counts from 0."""

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(f"Column {column}: {reason}")
        self.column = column
        self.reason = reason


class PasswordError(HashingError):
    """Root of the errors of password hashing."""


class PasswordRefused(PasswordError):
    """The scheme cannot take this password: it would be cut or misread."""


class CostRefused(PasswordError):
    """The cost that is asked for, or that an encoded hash names, is outside the limits.

    `option` names the part of the cost.
    """

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(reason)
        self.option = option


class EncodedRefused(PasswordError):
    """The text is not an encoded password hash of a known scheme."""

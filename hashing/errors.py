"""What can go wrong with hashing."""


class HashingError(Exception):
    """Root of this package's errors."""


class UnknownAlgorithm(HashingError):
    """The registry has no algorithm of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no algorithm '{name}'.")
        self.name = name

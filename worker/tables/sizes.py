"""How much of a table is taken at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Numbers of rows, unless said otherwise.

    Hashes of up to `leaf` are fetched one by one: fewer are lost in the cost of a lookup, and more
    are hashed a second time for each difference.  A range that differs is cut into at most `parts`
    at once.  A task covers about `task`; a partition is `first` and then what takes `target_s`
    seconds.  Rows travel by `page`; `sample` keys stand for all.
    """

    leaf: int = 512
    parts: int = 256
    task: int = 250_000
    first: int = 32_768
    most: int = 1_048_576
    page: int = 500
    sample: int = 20_000
    target_s: float = 0.5

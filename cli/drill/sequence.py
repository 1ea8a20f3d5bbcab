"""In which order faults come."""

import random
from collections.abc import Iterator, Sequence


def random_faults(names: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Yield names without end: all of them in a random order, then all again in another.

    So none waits long for its turn, which drawing each by itself would let happen.
    """
    while names:
        yield from rng.sample(names, len(names))


def each_repeated(names: Sequence[str], times: int) -> Iterator[str]:
    """Yield each name `times` times before the next."""
    for name in names:
        for _ in range(times):
            yield name

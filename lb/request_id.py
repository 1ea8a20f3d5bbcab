"""Makes request ids."""

from collections.abc import Callable
from itertools import count


def request_ids(random_bits: Callable[[int], int]) -> Callable[[], bytes]:
    """Return a source of ids: 80 random bits of this process, then a counter, in hex.

    A counter costs a third of fresh random bits, and puts one process's ids in order.
    """
    prefix = b"%020x" % random_bits(80)
    numbers = count()
    return lambda: b"%b%08x" % (prefix, next(numbers))

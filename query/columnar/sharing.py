"""Into how many fragments segments are shared out, and which go together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Hands:
    """Who may work on a query: live workers' slots, and the machines that these run on.

    DuckDB uses all the processors that a worker has, whatever the number of its fragments.
    """

    slots: int
    hosts: int


def fragment_count(
    shared_rows: int, broadcast_rows: int, hands: Hands, *, min_rows: int, most: int
) -> int:
    """Return how many fragments are worth it; it does not depend on what is free just now.

    Rows of the other tables, `broadcast_rows`, are read anew by each fragment, so that they must
    be few in comparison; then only other machines help, not other slots.
    """
    if broadcast_rows == 0:
        count = hands.slots
    else:
        count = min(hands.hosts, shared_rows // (2 * broadcast_rows))
    return max(1, min(count, shared_rows // min_rows, most))


def shared_out(sizes: Sequence[int], count: int) -> list[range]:
    """Cut a row of things of these sizes into at most `count` runs of nearly the same size.

    The cuts lie where they lay before as long as the sizes are about the same.
    """
    total = sum(sizes)
    if not sizes:
        return []
    ends: list[int] = []
    passed = 0
    for place, size in enumerate(sizes):
        passed += size
        # a run ends where its share of the whole is nearest
        while len(ends) < count - 1 and passed * count >= total * (len(ends) + 1):
            ends.append(place + 1)
    bounds = sorted({0, *ends, len(sizes)})
    return [range(first, end) for first, end in pairwise(bounds)]

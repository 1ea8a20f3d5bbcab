"""Cutting a table into partitions by its blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

BEHIND_ALL = 4294967295  # InvalidBlockNumber: no row lies there


@dataclass(frozen=True)
class BlockRange:
    """Blocks from `first` up to, not including, `end`."""

    first: int
    end: int

    def as_tids(self) -> tuple[str, str]:
        """Return the bounds as row addresses in PostgreSQL's text format."""
        return f"({self.first},0)", f"({self.end},0)"

    def describe(self) -> str:
        """Return the range in words."""
        return f"blocks from {self.first}" + (
            "" if self.end == BEHIND_ALL else f" to {self.end - 1}"
        )


def block_ranges(heaps: Sequence[int], count: int) -> list[BlockRange]:
    """Cut a table into at most `count` ranges that hold nearly the same number of blocks.

    `heaps` are the sizes in blocks of the table's own heap and of those below it: a range takes
    the blocks of that number from each of them, so that every row lies in exactly one range.
    The last one is open: a heap may have grown since its size was read, and rows that the
    snapshot sees may lie in the new pages.
    """
    total = sum(heaps)
    cuts = [0]
    for number in range(1, max(1, count)):
        cut = _block_before(heaps, total * number // count)
        if cut > cuts[-1]:
            cuts.append(cut)
    ends = [*cuts[1:], BEHIND_ALL]
    return [BlockRange(first, end) for first, end in zip(cuts, ends, strict=True)]


def _block_before(heaps: Sequence[int], wanted: int) -> int:
    """Return the largest block number that has at most `wanted` blocks before it in all heaps."""
    low, high = 0, max(heaps, default=0) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(blocks, middle) for blocks in heaps) <= wanted:
            low = middle
        else:
            high = middle - 1
    return max(0, low)


def shares(sizes: Sequence[int | None], count: int) -> list[int]:
    """Divide `count` fragments among templates over tables of these sizes in blocks.

    Each gets at least one, and no more than it has blocks; None is what cannot be cut.
    """
    total = sum(size for size in sizes if size is not None)
    left = max(0, count - sum(size is None for size in sizes))
    return [
        1 if not size else max(1, min(size, round(left * size / total)))
        for size in sizes
    ]  # fmt: skip

"""Cutting a table into partitions by its blocks."""

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


def block_ranges(blocks: int, count: int) -> list[BlockRange]:
    """Cut a table of `blocks` pages into at most `count` ranges of nearly equal size.

    The last one is open: the table may have grown since its size was read, and rows that the
    snapshot sees may lie in the new pages.
    """
    count = max(1, min(count, blocks))
    cuts = [blocks * number // count for number in range(count)]
    ends = [*cuts[1:], BEHIND_ALL]
    return [BlockRange(first, end) for first, end in zip(cuts, ends, strict=True)]

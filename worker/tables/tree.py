"""A tree of range checksums: each node sums up to 16 neighbours of the level below."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.output import OutputRow
from worker.tables.key_range import Checksum, KeyRange

FAN_OUT = 16


@dataclass(frozen=True)
class Node:
    """A range with its checksum; leaves are of level 0."""

    level: int
    range: KeyRange
    checksum: Checksum

    def row(self) -> OutputRow:
        """Return it as a row of the stream `ranges`."""
        one = self.range
        return [self.level, one.low, one.high, self.checksum.rows, self.checksum.hex]


def tree(leaves: Sequence[tuple[KeyRange, Checksum]]) -> list[Node]:
    """Return all nodes over leaves that are in order: the root first, then level by level."""
    level = [Node(0, one, checksum) for one, checksum in leaves]
    levels = [level]
    while len(level) > 1:
        groups = [level[start : start + FAN_OUT] for start in range(0, len(level), FAN_OUT)]
        level = [
            Node(
                group[0].level + 1,
                KeyRange(group[0].range.low, group[-1].range.high),
                sum((node.checksum for node in group), Checksum()),
            )
            for group in groups
        ]
        levels.append(level)
    return [node for nodes in reversed(levels) for node in nodes]

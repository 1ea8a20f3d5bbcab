"""Ranges of a key, and what is known of the rows in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self, TypeAlias

Key: TypeAlias = tuple[str, ...]
"""The values of a key's columns, as PostgreSQL writes them."""

LANE = 1 << 64


@dataclass(frozen=True)
class KeyRange:
    """Keys from `low` on and before `high`; None: no bound."""

    low: Key | None = None
    high: Key | None = None

    def cut(self, keys: Sequence[Key]) -> list["KeyRange"]:
        """Return the parts into which ordered `keys` inside it cut it."""
        bounds = [self.low, *keys, self.high]
        return [KeyRange(*pair) for pair in pairwise(bounds)]

    def document(self) -> list[Sequence[str] | None]:
        """Return it as JSON knows it."""
        return [self.low, self.high]

    @classmethod
    def read(cls, document: Sequence[Any]) -> Self:
        """Return the range of a document."""
        low, high = (None if key is None else tuple(key) for key in document)
        return cls(low, high)


@dataclass(frozen=True)
class Checksum:
    """How many rows, and the sums of the two halves of their hashes, each modulo 2**64."""

    rows: int = 0
    high: int = 0
    low: int = 0

    def __add__(self, other: "Checksum") -> "Checksum":
        """Return the checksum of both together: no order counts."""
        return Checksum(
            self.rows + other.rows, (self.high + other.high) % LANE, (self.low + other.low) % LANE
        )

    @property
    def hex(self) -> str:
        """The 128 bits as 32 digits."""
        return f"{self.high:016x}{self.low:016x}"

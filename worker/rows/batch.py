"""Rows on their way to digests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from worker.rows.records import RecordFormat
from worker.rows.scanner import Window

LONGEST_TEXT = 500  # characters of a broken record that are shown


class FailedRow(NamedTuple):
    """A row without a digest: why, where it is, and its record as it was sent."""

    row: int
    line: int
    reason: str
    record: bytes


@dataclass(frozen=True)
class Batch:
    """Rows that follow each other: numbers of the good ones and what is hashed of each."""

    numbers: Sequence[int]
    values: Sequence[bytes]
    failed: Sequence[FailedRow] = ()


NULL_REFUSED = "NULL has no bytes of its own; the canonical encoding knows it"


class RowReader(Protocol):
    """Turns the records of a text file into what is hashed of each."""

    @property
    def form(self) -> RecordFormat:
        """How its records are told apart."""

    def read(self, window: Window) -> Batch:
        """Return the window's rows."""


class RowBroken(Exception):
    """Raised for one row that cannot be hashed; the message says why."""


def shown(record: bytes, encoding: str) -> str:
    """Return the beginning of a record as text; a byte that is none is shown by its number."""
    text = record[: 4 * LONGEST_TEXT].decode(encoding, "backslashreplace").replace("\0", "\\x00")
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"

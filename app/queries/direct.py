"""Collects the rows of an answer, within its limits."""

from collections.abc import Iterable
from dataclasses import dataclass

from db.pool import Row
from query.fragment import ColumnType


@dataclass(frozen=True)
class Result:
    """An answer's columns and rows; `truncated` tells that there were more."""

    columns: tuple[ColumnType, ...]
    rows: list[Row]
    truncated: bool


def collect(rows: Iterable[Row], max_rows: int, max_bytes: int) -> tuple[list[Row], bool]:
    """Return at most `max_rows` rows of at most `max_bytes` characters, and whether more came.

    The rest is not read: a statement that would yield millions is stopped there.
    """
    collected: list[Row] = []
    size = 0
    for row in rows:
        size += sum(len(value) for value in row if value is not None) + len(row)
        if len(collected) == max_rows or size > max_bytes:
            return collected, True
        collected.append(row)
    return collected, False

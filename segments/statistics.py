"""The least and the greatest value of each column, gathered batch by batch."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from segments.columns import Column


class Statistics:
    """Counts nulls, and finds extremes of types whose order is the same everywhere.

    Not of text, which sorts by collation, nor of floats, where NaN is greater than all in
    PostgreSQL and skipped by others.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._nulls = [0] * len(columns)
        self._least: list[Any] = [None] * len(columns)
        self._greatest: list[Any] = [None] * len(columns)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in a batch."""
        for place, (column, values) in enumerate(zip(self._columns, batch.columns, strict=True)):
            self._nulls[place] += values.null_count
            if not _has_order(column.type):
                continue
            extremes = pc.min_max(values).as_py()
            if extremes["min"] is not None:
                least, greatest = self._least[place], self._greatest[place]
                self._least[place] = (
                    extremes["min"] if least is None else min(least, extremes["min"])
                )
                self._greatest[place] = (
                    extremes["max"] if greatest is None else max(greatest, extremes["max"])
                )

    def result(self) -> dict[str, dict[str, object]]:
        """Return per column: its type in the file, nulls, and `min` and `max` as text or null."""
        return {
            column.name: {
                "type": str(column.type),
                "nulls": self._nulls[place],
                "min": _text(self._least[place]),
                "max": _text(self._greatest[place]),
            }
            for place, column in enumerate(self._columns)
        }


def _has_order(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_decimal(kind) or types.is_temporal(kind))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

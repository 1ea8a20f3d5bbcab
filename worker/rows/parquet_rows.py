"""Rows of Parquet: typed values, by row groups."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hashing.errors import RowRefused
from hashing.rows import encode_row
from jobs.errors import PermanentFailure
from worker.rows.batch import NULL_REFUSED, Batch, FailedRow
from worker.rows.spec import RowEncoding, checked_names

BATCH_ROWS = 8192

_UNREADABLE = (pa.ArrowException, OSError)  # errors of PostgreSQL, beneath, are others


class ParquetRows:
    """A Parquet file; raises PermanentFailure where it cannot be read or hashed."""

    def __init__(
        self, file: io.RawIOBase, columns: Sequence[str | int] | None, encoding: RowEncoding
    ) -> None:
        try:
            self._file = pq.ParquetFile(file, pre_buffer=False)
        except _UNREADABLE as error:
            raise PermanentFailure(f"This is no Parquet: {error}", "FileUnreadable") from error
        self._encoding = encoding
        schema = self._file.schema_arrow
        names = schema.names if columns is None else map(str, columns)
        self.columns = checked_names(schema.names, names)
        if encoding == "value" and len(self.columns) != 1:
            reason = f"There are {len(self.columns)} columns; name the one whose values are hashed."
            raise PermanentFailure(reason, "ColumnUnknown")
        for name in self.columns:
            _check_type(name, schema.field(name).type, encoding)

    @property
    def group_rows(self) -> list[int]:
        """Return how many rows each row group has."""
        meta = self._file.metadata
        return [meta.row_group(number).num_rows for number in range(meta.num_row_groups)]

    @property
    def unpacked_bytes(self) -> int:
        """Return what all columns take without compression, as the file says."""
        meta = self._file.metadata
        return sum(meta.row_group(at).total_byte_size for at in range(meta.num_row_groups))

    def batches(self, groups: Sequence[int], first_row: int) -> Iterator[Batch]:
        """Yield the rows of these row groups, the first of which is `first_row`."""
        row = first_row
        found = self._file.iter_batches(
            batch_size=BATCH_ROWS, row_groups=list(groups), columns=self.columns, use_threads=False
        )
        try:
            for batch in found:
                yield self._read(batch, row)
                row += batch.num_rows
        except _UNREADABLE as error:
            raise PermanentFailure(f"The Parquet is damaged: {error}", "FileUnreadable") from error

    def _read(self, batch: pa.RecordBatch, first_row: int) -> Batch:
        # by name: the file may have them in another order
        columns = [values_of(batch.column(name)) for name in self.columns]
        numbers: list[int] = []
        values: list[bytes] = []
        failed: list[FailedRow] = []
        for row, cells in enumerate(zip(*columns, strict=True), first_row):
            if self._encoding == "canonical":
                try:
                    values.append(encode_row(cells))
                except RowRefused as error:
                    reason = f"column {self.columns[error.column]}: {error.reason}"
                    failed.append(FailedRow(row, 0, reason, b""))
                    continue
            else:
                cell = cells[0]
                if cell is None:
                    failed.append(FailedRow(row, 0, NULL_REFUSED, b""))
                    continue
                values.append(cell.encode() if isinstance(cell, str) else cell)
            numbers.append(row)
        return Batch(numbers, values, failed)


def values_of(column: pa.Array) -> list[Any]:
    """Return the values as hashing.rows knows them; times as ISO 8601 text, in UTC."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return values_of(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            column = column.cast(pa.timestamp(kind.unit, "UTC"))
        return [
            None if text is None else text.replace(" ", "T", 1)
            for text in pc.cast(column, pa.string()).to_pylist()
        ]
    if pa.types.is_date64(kind):
        column = column.cast(pa.date32())
    if pa.types.is_time(kind) or pa.types.is_date(kind):
        column = pc.cast(column, pa.string())
    return list(column.to_pylist())


_KNOWN = (
    pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal,
    pa.types.is_date, pa.types.is_time, pa.types.is_timestamp,
)  # fmt: skip
_TEXTS = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)  # fmt: skip


def _check_type(name: str, kind: pa.DataType, encoding: RowEncoding) -> None:
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    if any(knows(held) for knows in _TEXTS):
        return
    if encoding == "value":
        reason = f"Column {name} is of type {kind}, and only text and bytes are hashed by value."
        raise PermanentFailure(reason, "TypeRefused")
    if not any(knows(held) for knows in _KNOWN):
        reason = f"Column {name} is of type {kind}, which has no canonical encoding: leave it out."
        raise PermanentFailure(reason, "TypeRefused")

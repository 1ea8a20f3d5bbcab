"""Reads records one at a time, where reading whole windows is not possible or not worth it."""

from collections.abc import Callable, Iterable

from worker.rows.batch import Batch, FailedRow, RowBroken
from worker.rows.scanner import Broken, Place


def read_one_by_one(
    records: Iterable[bytes | Broken], at: Place, value_of: Callable[[bytes], bytes]
) -> Batch:
    """Return the rows of records that begin `at` a place.

    `value_of` returns what is hashed of a record, and raises RowBroken.
    """
    numbers: list[int] = []
    values: list[bytes] = []
    failed: list[FailedRow] = []
    row, line = at.row, at.line
    for record in records:
        if isinstance(record, Broken):
            failed.append(FailedRow(row, line, record.reason, record.content))
            line += record.content.count(b"\n") + 1
        else:
            try:
                values.append(value_of(record))
                numbers.append(row)
            except RowBroken as error:
                failed.append(FailedRow(row, line, str(error), record))
            line += record.count(b"\n") + 1
        row += 1
    return Batch(numbers, values, failed)

"""Rows of CSV: whole windows by Arrow, the rest record by record; both ways give the same bytes."""

import re
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from hashing.rows import VERSION, encode_row
from worker.rows.batch import NULL_REFUSED, Batch, RowBroken
from worker.rows.one_by_one import read_one_by_one
from worker.rows.records import Lines, QuotedRecords, RecordFormat
from worker.rows.scanner import Window
from worker.rows.spec import CsvOptions, RowEncoding

LONGEST_CELL = 65_535  # bytes, in a window that Arrow encodes

_NULL = pa.scalar(b"\x00", pa.binary())
_EMPTY = pa.scalar(b"", pa.binary())
# what stands before a text of so many bytes; see hashing.rows
_HEADS = pa.array(
    [b"\x06" + size.to_bytes(8, "big") for size in range(LONGEST_CELL + 1)], pa.binary()
)


def csv_form(options: CsvOptions, limit: int) -> RecordFormat:
    """Return how records of such a CSV are told apart."""
    if options.quote is None:
        return Lines(limit)
    return QuotedRecords(options.delimiter.encode(), options.quote.encode(), limit)


def cells_of(text: str, options: CsvOptions) -> list[str | None]:
    """Return the cells of a record that is not broken; NULL as None."""
    if options.quote is None or options.quote not in text:
        return [None if cell == options.null else cell for cell in text.split(options.delimiter)]
    cells: list[str | None] = []
    pattern = _pattern(options)
    at, more = 0, True
    while more:
        match = pattern.match(text, at)
        if match is None:
            raise RowBroken("a quote where none may be")
        quoted, bare, behind = match.groups()
        if quoted is not None:
            cells.append(quoted.replace(options.quote * 2, options.quote))
        else:
            cells.append(None if bare == options.null else bare)
        at, more = match.end(), bool(behind)
    return cells


def _pattern(options: CsvOptions) -> re.Pattern[str]:
    mark, separator = re.escape(options.quote or ""), re.escape(options.delimiter)
    return re.compile(
        rf"(?:{mark}((?:[^{mark}]++|{mark}{mark})*+){mark}|([^{mark}{separator}]*+))({separator}|\Z)"
    )  # compiled once: re keeps it


class CsvRows:
    """Reads rows of `fields` cells; `positions`, from 0, are the cells that are hashed."""

    def __init__(
        self,
        options: CsvOptions,
        encoding: RowEncoding,
        limit: int,
        fields: int,
        positions: Sequence[int],
    ) -> None:
        self.form = csv_form(options, limit)
        self._options = options
        self._encoding = encoding
        self._fields = fields
        self._positions = positions
        self._parse = pyarrow.csv.ParseOptions(
            delimiter=options.delimiter,
            quote_char=options.quote or False,
            newlines_in_values=True,
            ignore_empty_lines=False,
        )
        chosen = [str(position) for position in positions]
        self._convert = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(chosen, pa.binary()),
            null_values=[] if options.null is None else [options.null],
            strings_can_be_null=options.null is not None,
            quoted_strings_can_be_null=False,
            include_columns=chosen,
        )
        self._names = [str(position) for position in range(fields)]
        self._head = pa.scalar(bytes([VERSION]) + len(chosen).to_bytes(4, "big"), pa.binary())

    def read(self, window: Window) -> Batch:
        """Return the window's rows."""
        if window.records:
            return read_one_by_one(window.records, window.at, self._value)
        if self._encoding == "raw":
            values = self.form.split(window.data)
        else:
            found = self._all(window)
            if found is None:
                records = self.form.split(window.data)
                return read_one_by_one(records, window.at, self._value)
            values = found
        return Batch(range(window.at.row, window.after.row), values)

    def _value(self, record: bytes) -> bytes:
        """Return what is hashed of one record.  Raises RowBroken."""
        if self._encoding == "raw":
            return record
        options = self._options
        try:
            text = record.decode(options.encoding)
        except UnicodeDecodeError as error:
            shown = record[error.start : error.start + 1].hex()
            reason = f"no valid {options.encoding}: byte {shown} at {error.start} of the record"
            raise RowBroken(reason) from error
        cells = cells_of(text, options)
        if len(cells) != self._fields:
            raise RowBroken(f"{len(cells)} cells instead of {self._fields}")
        chosen = [cells[position] for position in self._positions]
        if self._encoding == "canonical":
            return encode_row(chosen)
        (cell,) = chosen
        if cell is None:
            raise RowBroken(NULL_REFUSED)
        return cell.encode()

    def _all(self, window: Window) -> list[bytes] | None:
        """Return what is hashed of all rows; None where some row might be broken."""
        data = self._as_utf8(window.data)
        # Arrow ends lines at a CR, too, and takes an empty line for a row of empty cells
        if data is None or data.count(b"\r") != data.count(b"\r\n"):
            return None
        if self._fields > 1 and (
            data.startswith((b"\n", b"\r\n")) or b"\n\n" in data or b"\n\r\n" in data
        ):
            return None
        reading = pyarrow.csv.ReadOptions(
            use_threads=False, block_size=len(data) + 1, column_names=self._names
        )
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(data),
                read_options=reading,
                parse_options=self._parse,
                convert_options=self._convert,
            )
        except pa.ArrowInvalid:
            return None
        columns = [column.combine_chunks() for column in table.columns]
        if table.num_rows != window.rows:
            return None
        if self._encoding == "value":
            (column,) = columns
            return None if column.null_count else contents(column)
        longest = max(pc.max(pc.binary_length(column)).as_py() or 0 for column in columns)
        if longest > LONGEST_CELL:
            return None
        return contents(self._canonical(columns))

    def _canonical(self, columns: Sequence[pa.Array]) -> pa.Array:
        """Return for each row what `encode_row` returns for its cells."""
        parts: list[pa.Array | pa.Scalar] = [self._head]
        for column in columns:
            heads = _HEADS.take(pc.binary_length(column))
            if column.null_count:
                heads, column = heads.fill_null(_NULL), column.fill_null(_EMPTY)  # noqa: PLW2901
            parts += [heads, column]
        return pc.binary_join_element_wise(*parts, _EMPTY)

    def _as_utf8(self, data: bytes) -> bytes | None:
        if data.isascii():
            return data
        try:
            text = data.decode(self._options.encoding)
        except UnicodeDecodeError:
            return None
        return data if self._options.encoding == "utf-8" else text.encode()


def contents(column: pa.Array) -> list[bytes]:
    """Return the values of an array of binaries without nulls: four times as fast as to_pylist."""
    _, offsets, data = column.buffers()
    if data is None:
        return [b""] * len(column)
    first = column.offset
    ends = memoryview(offsets).cast("i")[first : first + len(column) + 1].tolist()
    base = ends[0]
    kept = data.slice(base, ends[-1] - base).to_pybytes()
    return [kept[start - base : end - base] for start, end in pairwise(ends)]

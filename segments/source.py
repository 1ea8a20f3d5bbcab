"""The rows of a key range as Arrow batches, from one COPY, in the order of the key."""

import io
from collections.abc import Generator, Sequence

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from db.pool import Connection
from db.tracking.buckets import KeyRange
from db.tracking.cuts import within
from db.tracking.tracked_table import TrackedTable
from segments.columns import Column, schema_of, to_arrow
from segments.errors import RowTooLarge


class CopyStream(io.RawIOBase):
    """What COPY sends, as a file: each read is full until the end, which the parser counts on."""

    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy
        self._rest = bytearray()
        self._is_over = False

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer only at the end; all for a negative size."""
        while not self._is_over and (size < 0 or len(self._rest) < size):
            chunk = self._copy.read()
            self._is_over = not chunk
            self._rest += chunk
        end = len(self._rest) if size < 0 else size
        taken = bytes(memoryview(self._rest)[:end])
        del self._rest[:end]
        return taken


def batches(
    connection: Connection,
    table: TrackedTable,
    span: KeyRange,
    columns: Sequence[Column],
    read_bytes: int,
) -> Generator[pa.RecordBatch, None, None]:
    """Read the rows of a range in the connection's transaction, `read_bytes` of text at a time.

    Raises ColumnUnfit, RowTooLarge, psycopg.Error.
    """
    statement = sql.SQL(
        "COPY (SELECT {columns} FROM ONLY {table} WHERE {within} ORDER BY {key}) "
        "TO STDOUT (FORMAT csv, NULL '')"
    ).format(
        columns=sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
        table=table.identifier,
        within=within(table.key_column, table.key, span),
        key=sql.Identifier(table.key_column),
    )
    yield from copied(connection, statement, columns, read_bytes, f"{table.schema}.{table.name}")


def copied(
    connection: Connection,
    statement: sql.Composed,
    columns: Sequence[Column],
    read_bytes: int,
    name: str,
) -> Generator[pa.RecordBatch, None, None]:
    """Yield what a COPY … TO STDOUT (FORMAT csv, NULL '') gives of these columns of table `name`.

    Raises ColumnUnfit, RowTooLarge, psycopg.Error.
    """
    names = [str(place) for place in range(len(columns))]
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        try:
            reader = pyarrow.csv.open_csv(
                pa.PythonFile(CopyStream(copy), "r"),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=names, block_size=read_bytes, use_threads=False
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    newlines_in_values=True,
                    # a row whose only column is null
                    ignore_empty_lines=False,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    # null is nothing at all; the empty string is quoted
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            for batch in reader:
                yield to_arrow(batch, columns)
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                yield pa.RecordBatch.from_pylist([], schema=schema_of(columns))
                return
            if "straddling" in str(error):
                raise RowTooLarge(
                    f"A row of {name} is larger than {read_bytes} bytes. "
                    "Raise MILLRACE_SEGMENTS_READ_MB."
                ) from error
            raise

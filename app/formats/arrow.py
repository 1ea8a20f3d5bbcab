"""Arrow IPC streams, from the CSV that PostgreSQL writes.

Parsing CSV in C++ is the fast way from PostgreSQL's text to Arrow's columns.
https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
"""

from collections.abc import Iterator

import pyarrow as pa
from pyarrow import csv

from app.formats.arrow_types import arrow_type
from app.formats.compression import Drain
from app.formats.csv_text import csv_pieces
from app.problem_types import NOT_ACCEPTABLE
from app.problems import Problem
from app.queries.open_answer import OpenAnswer

BATCH_BYTES = 1024 * 1024


class ArrowWriter:
    """Turns the CSV of an answer into record batches, one piece after the other."""

    def __init__(self, answer: OpenAnswer, query_id: str) -> None:
        self._answer = answer
        fields = [
            pa.field(column.name, arrow_type(column), metadata={"postgresql.type": name})
            for column, name in zip(answer.columns, answer.types, strict=True)
        ]
        metadata = {
            "millrace.query_id": query_id,
            "millrace.snapshot": answer.snapshot,
            "millrace.mode": answer.mode,
        }
        self._schema = pa.schema(fields, metadata=metadata)
        self._drain = Drain()
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._drain, "w"), self._schema)
        # names may come twice, so while parsing the columns go by their place
        names = [f"c{place}" for place in range(len(fields))]
        parsed = [pa.string() if pa.types.is_binary(each.type) else each.type for each in fields]
        self._read = csv.ReadOptions(
            use_threads=False, column_names=names, block_size=16 * BATCH_BYTES
        )
        self._parse = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
        self._convert = csv.ConvertOptions(
            column_types=dict(zip(names, parsed, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        )

    def pieces(self) -> Iterator[bytes]:
        """Yield the stream; its last batch is empty and says in its metadata that all is there.

        Raises Problem where a value has no place in its column's type.
        """
        answer = self._answer
        kept: list[bytes] = []
        size = 0
        for piece in csv_pieces(answer, header=False):
            kept.append(piece)
            size += len(piece)
            if size >= BATCH_BYTES:
                self._write(b"".join(kept))
                yield self._drain.take()
                kept, size = [], 0
        if kept:
            self._write(b"".join(kept))
        last = pa.RecordBatch.from_arrays(
            [pa.array([], each.type) for each in self._schema], schema=self._schema
        )
        self._writer.write_batch(
            last,
            custom_metadata={
                "millrace.row_count": str(answer.row_count),
                "millrace.truncated": str(answer.truncated).lower(),
                "millrace.complete": "true",
            },
        )
        self._writer.close()
        yield self._drain.take()

    def _write(self, text: bytes) -> None:
        if not len(self._schema):
            return  # rows without columns: their number is in the last batch
        try:
            table = csv.read_csv(pa.BufferReader(text), self._read, self._parse, self._convert)
        except pa.ArrowInvalid as error:
            place = str(error).partition("CSV column #")[2].partition(":")[0]
            known = place.isdigit() and int(place) < len(self._schema)
            name = self._schema.field(int(place)).name if known else ""
            raise Problem(
                NOT_ACCEPTABLE,
                f'A value of the column "{name}" has no place in Arrow\'s '
                f"{self._schema.field(int(place)).type if known else 'types'}, such as infinity, "
                "NaN in a numeric, or a year before 1. Cast the column to text.",
            ) from error
        for batch in table.to_batches():
            columns = [
                _unhexed(column) if pa.types.is_binary(field.type) else column
                for field, column in zip(self._schema, batch.columns, strict=True)
            ]
            self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))


def _unhexed(column: pa.Array) -> pa.Array:
    return pa.array(
        [None if text is None else bytes.fromhex(text[2:]) for text in column.to_pylist()],
        pa.binary(),
    )

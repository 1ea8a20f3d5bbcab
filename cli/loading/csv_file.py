"""CSV files: types inferred from all values, rows sent as they stand in the file."""

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv

from cli.errors import LoadRefused
from cli.loading.inference import ColumnInference, infer
from cli.loading.source import Column, check_names, with_choices

CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
CHUNK_BYTES = 256 * 1024
# A row must fit into a block, and few are long.  pyarrow reads up to 32 blocks ahead, so the first
# size sets the memory that a file of any size takes: 1 MiB, about 100 MB.
BLOCKS_BYTES = (1 << 20, 64 << 20, 1 << 30)
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Dialect:
    """How the file is written: PostgreSQL's CSV, of which RFC 4180 is the usual case."""

    delimiter: str = ","
    null: str = ""
    header: bool = True


class CsvFile:
    """A CSV file, perhaps compressed."""

    line_word = "line"

    def __init__(
        self,
        path: Path,
        dialect: Dialect,
        choices: dict[str, str],
        seen: Callable[[int, int], None],
    ) -> None:
        """Read the whole file once to infer its types; `seen(done, total)` follows it, in bytes.

        Raises LoadRefused with the remedy.
        """
        self.path = str(path)
        self.total = path.stat().st_size
        self._path = path
        self._dialect = dialect
        names, header_lines = self._header()
        check_names(self.path, names)
        inferences = self._infer(names, header_lines, seen)
        inferred = [Column(name, one.type) for name, one in zip(names, inferences, strict=True)]
        self.columns = with_choices(self.path, inferred, choices)

    @property
    def copy_options(self) -> str:
        """What COPY must know about the file."""
        delimiter, null = (_literal(part) for part in (self._dialect.delimiter, self._dialect.null))
        return (
            f"FORMAT csv, ENCODING 'UTF8', HEADER {'true' if self._dialect.header else 'false'}, "
            f"DELIMITER {delimiter}, NULL {null}"
        )

    def chunks(self) -> Iterator[tuple[bytes, int]]:
        """Yield the file's own bytes, decompressed, each with how far into the file it reaches."""
        with self._opened() as (stream, position):
            first = True
            while chunk := self._read(stream):
                yield (chunk.removeprefix(BOM) if first else chunk), position()
                first = False

    def _read(self, stream: BinaryIO) -> bytes:
        try:
            return bytes(stream.read(CHUNK_BYTES))
        except (OSError, pa.ArrowException) as error:
            raise LoadRefused(f"{self.path} cannot be decompressed: {error}") from error

    @contextmanager
    def _opened(self) -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
        codec = CODECS.get(self._path.suffix.lower())
        with self._path.open("rb") as raw:
            if codec is None:
                yield raw, raw.tell
            else:
                with pa.CompressedInputStream(raw, codec) as stream:
                    yield stream, raw.tell

    def _header(self) -> tuple[list[str], int]:
        """Return the columns' names, and how many lines the header takes."""
        with self._opened() as (stream, _):
            start = b""
            while len(start) < BLOCKS_BYTES[0] and (chunk := self._read(stream)):
                start += chunk
        text = start.removeprefix(BOM).decode(errors="replace")
        delimiter = self._dialect.delimiter
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, doublequote=True)
        record = next(reader, [])
        if not self._dialect.header:
            return [f"column{number}" for number in range(1, len(record) + 1)], 0
        return record, reader.line_num

    def _infer(
        self, names: list[str], header_lines: int, seen: Callable[[int, int], None]
    ) -> list[ColumnInference]:
        for block_bytes in BLOCKS_BYTES:
            inferences = [ColumnInference() for _ in names]
            try:
                with self._opened() as (stream, position):
                    for batch in self._batches(stream, names, header_lines, block_bytes):
                        infer(inferences, batch)
                        seen(position(), self.total)
            except pa.ArrowInvalid as error:
                if "straddling" not in str(error):
                    raise self._refusal(error) from error
            except OSError as error:
                raise LoadRefused(f"{self.path} cannot be read: {error}") from error
            else:
                return inferences
        raise LoadRefused(
            f"{self.path} has a row longer than {BLOCKS_BYTES[-1]} bytes: "
            "a quote that is never closed? Correct the file."
        )

    def _batches(
        self, stream: BinaryIO, names: list[str], header_lines: int, block_bytes: int
    ) -> Iterator[pa.RecordBatch]:
        try:
            yield from pyarrow.csv.open_csv(
                stream,
                pyarrow.csv.ReadOptions(
                    column_names=names, skip_rows=header_lines, block_size=block_bytes
                ),
                pyarrow.csv.ParseOptions(
                    delimiter=self._dialect.delimiter,
                    newlines_in_values=True,
                    # COPY finds these, too, and says on which line
                    invalid_row_handler=lambda _row: "skip",
                ),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[self._dialect.null],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV file" not in str(error):  # a header and no row: a table without rows
                raise

    def _refusal(self, error: pa.ArrowInvalid) -> LoadRefused:
        if "UTF8" in str(error) or "UTF-8" in str(error):
            return LoadRefused(
                f"{self.path}{self._first_bad_line()} is not UTF-8. "
                "Convert it, for instance: iconv -f LATIN1 -t UTF-8 FILE > NEW"
            )
        return LoadRefused(f"{self.path} cannot be read as CSV: {error}. Check --delimiter.")

    def _first_bad_line(self) -> str:
        decoder = codecs.getincrementaldecoder("utf-8")()
        line = 1
        with self._opened() as (stream, _):
            while chunk := self._read(stream):
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as error:
                    line += error.object.count(b"\n", 0, error.start)
                    return f", line {line},"
                line += chunk.count(b"\n")
        return ""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

"""What a segment's file is like inside."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq


class Writer(Protocol):
    """Takes rows in; on leaving its context without an error all of them are in the file."""

    def write(self, rows: pa.Table) -> None:
        """Add rows, of the schema that it was made for.  Raises OSError."""


@dataclass(frozen=True)
class FileFormat:
    """Names end with `.suffix`; `writer` is given a path that is free, and the schema."""

    suffix: str
    writer: Callable[[Path, pa.Schema], AbstractContextManager[Writer]]


class _ParquetFile:
    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows, row_group_size=max(1, rows.num_rows))


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Writer]:
    # DuckDB reads these in two thirds of the time that zstd and decimals as byte arrays take it,
    # for a quarter more disk
    with pq.ParquetWriter(path, schema, compression="lz4", store_decimal_as_integer=True) as writer:
        yield _ParquetFile(writer)


PARQUET = FileFormat("parquet", _parquet)

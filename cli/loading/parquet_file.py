"""Parquet files: PostgreSQL types from the file's own, rows sent as CSV."""

import io
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from cli.errors import LoadRefused
from cli.loading.source import Column, check_names, with_choices

BATCH_ROWS = 32 * 1024
Convert = Callable[[pa.Array], pa.Array]

_PLAIN: dict[pa.DataType, str] = {
    pa.null(): "text",
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "integer",
    pa.uint32(): "bigint",
    pa.uint64(): "numeric(20,0)",
    pa.float16(): "real",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.large_string(): "text",
    pa.string_view(): "text",
    pa.date32(): "date",
    pa.date64(): "date",
}


class ParquetFile:
    """A Parquet file."""

    line_word = "row"
    copy_options = "FORMAT csv, ENCODING 'UTF8', DELIMITER ',', NULL ''"

    def __init__(self, path: Path, choices: dict[str, str]) -> None:
        """Read the file's schema.  Raises LoadRefused with the remedy."""
        self.path = str(path)
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                self._schema = file.schema_arrow
                self.total = file.metadata.num_rows
        except (OSError, pa.ArrowException) as error:
            raise LoadRefused(f"{path} cannot be read as Parquet: {error}") from error
        self._path = path
        check_names(self.path, self._schema.names)
        columns = [Column(field.name, self._type(field)) for field in self._schema]
        self.columns = with_choices(self.path, columns, choices)

    def chunks(self) -> Iterator[tuple[bytes, int]]:
        """Yield rows as CSV, each piece with the number of rows so far."""
        # all valid values quoted: so NULL (nothing) and an empty text ("") stay apart
        options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
        done = 0
        with pyarrow.parquet.ParquetFile(self._path) as file:
            for batch in self._batches(file):
                arrays = [
                    self._converted(column, array)
                    for column, array in zip(self.columns, batch.columns, strict=True)
                ]
                buffer = io.BytesIO()
                table = pa.Table.from_arrays(arrays, names=batch.schema.names)
                pyarrow.csv.write_csv(table, buffer, options)
                done += batch.num_rows
                yield buffer.getvalue(), done

    def _batches(self, file: pyarrow.parquet.ParquetFile) -> Iterator[pa.RecordBatch]:
        try:
            yield from file.iter_batches(BATCH_ROWS)
        except (OSError, pa.ArrowException) as error:
            raise LoadRefused(f"{self.path} is damaged: {error}") from error

    def _type(self, field: pa.Field) -> str:
        type_ = _storage(field.type)
        if type_ in _PLAIN:
            return _PLAIN[type_]
        if pa.types.is_decimal(type_):
            return f"numeric({type_.precision},{type_.scale})"
        if pa.types.is_timestamp(type_):
            return "timestamp" if type_.tz is None else "timestamptz"
        if pa.types.is_time(type_):
            return "time"
        if _is_uuid(field.type):
            return "uuid"
        if _is_binary(type_):
            return "bytea"
        raise LoadRefused(
            f'{self.path}: the column "{field.name}" is of the type {field.type}, which has no '
            "counterpart here. Flatten it, write it as text, or leave it out of the file."
        )

    def _converted(self, column: Column, array: pa.Array) -> pa.Array:
        original = array.type
        array = _plain(array)
        type_ = array.type
        try:
            if _is_uuid(original) and not column.chosen:
                return _texts(array, lambda value: str(uuid.UUID(bytes=value)))
            if _is_binary(type_):
                return _texts(array, lambda value: "\\x" + value.hex())
            if pa.types.is_timestamp(type_) and type_.unit == "ns" and not column.chosen:
                return pc.cast(array, pa.timestamp("us", type_.tz))
            if type_ == pa.time64("ns") and not column.chosen:
                return pc.cast(array, pa.time64("us"))
        except pa.ArrowInvalid as error:
            raise LoadRefused(
                f'{self.path}: the column "{column.name}" has nanoseconds, and PostgreSQL keeps '
                f"microseconds. Keep them as text with --type {column.name}=text, or round them."
            ) from error
        return array


def _storage(type_: pa.DataType) -> pa.DataType:
    if isinstance(type_, pa.BaseExtensionType):
        return type_.storage_type
    if pa.types.is_dictionary(type_):
        return type_.value_type
    return type_


def _plain(array: pa.Array) -> pa.Array:
    """Return the array without what CSV cannot be written from."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type == pa.float16():
        return pc.cast(array, pa.float32())
    if pa.types.is_timestamp(array.type) and array.type.tz not in {None, "UTC"}:
        return pc.cast(array, pa.timestamp(array.type.unit, "UTC"))  # the same instants
    if array.type == pa.string_view():
        return pc.cast(array, pa.large_string())
    if array.type == pa.null():
        return pc.cast(array, pa.string())
    return array


def _is_uuid(type_: pa.DataType) -> bool:
    return isinstance(type_, pa.BaseExtensionType) and type_.extension_name == "arrow.uuid"


def _is_binary(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or pa.types.is_binary_view(type_)
        or pa.types.is_fixed_size_binary(type_)
    )


def _texts(array: pa.Array, convert: Callable[[bytes], str]) -> pa.Array:
    return pa.array(
        [None if value is None else convert(value) for value in array.to_pylist()], pa.string()
    )

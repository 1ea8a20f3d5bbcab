"""Which columns go into segments, as what, and why others do not.

PostgreSQL writes values as text in the reader's session (ISO dates, UTC, shortest exact floats,
hexadecimal bytea); what Arrow does not take in exactly, it refuses, and the column is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from db.pool import Connection
from segments.errors import ColumnUnfit

_COLUMNS = """SELECT a.attname, t.typname, n.nspname, t.typtype, a.atttypmod,
       format_type(a.atttypid, a.atttypmod), a.attgenerated
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_VARHDRSZ = 4
_MOST_DIGITS = 38
# a DECIMAL without digits before the point is written as `.10` by the engine
_LARGEST_SCALE = _MOST_DIGITS - 1

Cast = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class Column:
    """A column that is copied: its name, its type in the file, and how text becomes values."""

    name: str
    type: pa.DataType
    cast: Cast


@dataclass(frozen=True)
class Plan:
    """What is copied, in the table's order, and why the rest is not."""

    columns: tuple[Column, ...]
    left_out: Mapping[str, str]


def _plain(to: pa.DataType) -> Cast:
    return lambda texts: pc.cast(texts, to)


def _floats(to: pa.DataType) -> Cast:
    """Refuse NaN: statistics of Parquet leave it out, and readers would pass over its row."""

    def cast(texts: pa.Array) -> pa.Array:
        values = pc.cast(texts, to)
        if pc.any(pc.is_nan(values)).as_py():
            raise pa.ArrowInvalid("a NaN, which statistics of Parquet leave out")
        return values

    return cast


def _in_utc(texts: pa.Array) -> pa.Array:
    """Take a moment as the time that clocks show in UTC: who reads needs no rules of zones."""
    return pc.cast(pc.cast(texts, pa.timestamp("us", "UTC")), pa.timestamp("us"))


def _booleans(texts: pa.Array) -> pa.Array:
    return pc.equal(texts, "t")


def _bytes(texts: pa.Array) -> pa.Array:
    values = (None if text is None else bytes.fromhex(text[2:]) for text in texts.to_pylist())
    return pa.array(values, pa.binary())


def _uuids(texts: pa.Array) -> pa.Array:
    values = (
        None if text is None else bytes.fromhex(text.replace("-", "")) for text in texts.to_pylist()
    )
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(values, pa.binary(16)))


_TYPES: dict[str, tuple[pa.DataType, Cast]] = {
    "bool": (pa.bool_(), _booleans),
    "bytea": (pa.binary(), _bytes),
    "uuid": (pa.uuid(), _uuids),
    "float4": (pa.float32(), _floats(pa.float32())),
    "float8": (pa.float64(), _floats(pa.float64())),
    "timestamptz": (pa.timestamp("us"), _in_utc),
    **{
        name: (to, _plain(to))
        for name, to in {
            "int2": pa.int16(),
            "int4": pa.int32(),
            "int8": pa.int64(),
            "text": pa.string(),
            "varchar": pa.string(),
            # with its blanks: PostgreSQL counts them in some places and not in others, which is
            # for the reader to tell apart
            "bpchar": pa.string(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us"),
        }.items()
    },
}


def plan_columns(connection: Connection, oid: int, unfit: Mapping[str, str]) -> Plan:
    """Return what of a table is copied; `unfit`: columns found to hold what cannot be (why)."""
    columns: list[Column] = []
    left_out: dict[str, str] = dict(unfit)
    for name, kind, schema, sort, modifier, shown, generated in connection.execute(
        _COLUMNS, [str(oid)]
    ):
        column = str(name)
        if column in unfit:
            continue
        if generated == "v":
            left_out[column] = "it is computed when it is read"
        elif schema != "pg_catalog" or sort != "b":
            left_out[column] = f"no exact counterpart of the type {shown}"
        elif kind == "numeric":
            reason = _add_numeric(columns, column, int(str(modifier)))
            if reason:
                left_out[column] = reason
        elif kind in _TYPES:
            columns.append(Column(column, *_TYPES[kind]))
        else:
            left_out[column] = f"no exact counterpart of the type {shown}"
    return Plan(tuple(columns), left_out)


def to_arrow(batch: pa.RecordBatch, columns: Sequence[Column]) -> pa.RecordBatch:
    """Turn a batch of texts, by position, into values.  Raises ColumnUnfit."""
    arrays = []
    for column, texts in zip(columns, batch.columns, strict=True):
        try:
            arrays.append(column.cast(texts))
        except pa.ArrowInvalid as error:
            raise ColumnUnfit(column.name, str(error)[:200]) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of(columns))


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the schema of the file."""
    return pa.schema([pa.field(column.name, column.type) for column in columns])


def _add_numeric(columns: list[Column], name: str, modifier: int) -> str | None:
    if modifier < _VARHDRSZ:
        return "numeric without a scale holds more than a fixed-point type"
    packed = modifier - _VARHDRSZ
    precision, scale = packed >> 16, packed & 0x7FF
    if precision > _MOST_DIGITS or scale > min(precision, _LARGEST_SCALE):
        return f"numeric({precision},{scale}) has more than {_MOST_DIGITS} digits, or a rare scale"
    to = pa.decimal128(precision, scale)
    columns.append(Column(name, to, _plain(to)))
    return None

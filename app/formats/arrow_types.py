"""PostgreSQL's types as Arrow's, wherever each value keeps all that it says."""

import pyarrow as pa

from query.fragment import ColumnType
from query.types import (
    BOOL,
    BYTEA,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    NUMERIC,
    OID,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
)  # fmt: skip

MOST_DIGITS = 38  # of decimal128

EXACT: dict[int, pa.DataType] = {
    BOOL: pa.bool_(),
    INT2: pa.int16(),
    INT4: pa.int32(),
    INT8: pa.int64(),
    OID: pa.uint32(),
    FLOAT4: pa.float32(),
    FLOAT8: pa.float64(),
    BYTEA: pa.binary(),
    DATE: pa.date32(),
    TIME: pa.time64("us"),
    TIMESTAMP: pa.timestamp("us"),
    TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
}


def arrow_type(column: ColumnType) -> pa.DataType:
    """Return the type that holds the column's values; PostgreSQL's text where none other does."""
    if column.oid == NUMERIC and column.typmod >= 0:
        # numerictypmodin(): precision above 16 bits of scale, which has a sign since version 15
        modifier = column.typmod - 4
        precision, scale = modifier >> 16, ((modifier & 0x7FF) ^ 1024) - 1024
        if precision <= MOST_DIGITS and 0 <= scale <= precision:
            return pa.decimal128(precision, scale)
    return EXACT.get(column.oid, pa.string())

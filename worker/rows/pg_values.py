"""PostgreSQL's values, from their text to what hashing.rows knows."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from hashing.rows import Value
from query.types import BOOL, BYTEA, FLOAT4, FLOAT8, INT2, INT4, INT8, NUMERIC, OID

ToValue = Callable[[str], Value]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])  # \x…: sessions of the reader have bytea_output = hex


_TO_VALUE: dict[int, ToValue] = {
    BOOL: lambda text: text == "t",
    INT2: int,
    INT4: int,
    INT8: int,
    OID: int,
    NUMERIC: Decimal,
    # the shortest text that reads as the same number: extra_float_digits = 1
    FLOAT4: float,
    FLOAT8: float,
    BYTEA: _bytes,
}


def values_of(oid: int, texts: Sequence[str | None]) -> Sequence[Value]:
    """Return the values of a column of that type; of a type not listed here, their text."""
    to_value = _TO_VALUE.get(oid)
    if to_value is None:
        return texts
    return [None if text is None else to_value(text) for text in texts]


def bytes_of(oid: int, texts: Sequence[str | None]) -> Sequence[bytes | None]:
    """Return the bytes of bytea, and of any other type those of its text in UTF-8."""
    to_bytes = _bytes if oid == BYTEA else str.encode
    return [None if text is None else to_bytes(text) for text in texts]

"""Rows as bytes, version 1: equal rows give equal bytes, different rows different ones.

Joining values with a separator does not: ("ab", "c") and ("a", "bc") would meet, and NULL and the
empty text too.  So each value says its type and its size before its content:

    row    = version (1 byte, 0x01)  columns (4 bytes)  value*
    value  = tag (1 byte)                                    NULL, false, true
           | tag (1 byte)  size (8 bytes)  content           all others

    tag    content
    0x00   NULL
    0x01   false
    0x02   true
    0x03   integer: decimal digits, `-` before a negative one, no leading zeros
    0x04   float: IEEE 754 binary64; -0.0 as 0.0, every NaN as 7ff8000000000000
    0x05   decimal: digits without trailing zeros, `E`, exponent (1.50 and 1.5 are 15E-1;
           0 is 0E0); NaN, Infinity, -Infinity
    0x06   text: UTF-8, as it is (no Unicode normalisation)
    0x07   bytes

Numbers of more than one byte are unsigned, most significant byte first.  Column names are not part
of it.  Values of different types differ: 1, 1.0, "1" and decimal 1 are four rows.
"""

import math
import struct
from collections.abc import Sequence
from decimal import Decimal

from hashing.errors import RowRefused

VERSION = 1
MOST_DIGITS = 4300  # where Python, too, stops turning integers into digits: the time is quadratic

Value = None | bool | int | float | Decimal | str | bytes

_NULL, _FALSE, _TRUE = b"\x00", b"\x01", b"\x02"
_INTEGER, _FLOAT, _DECIMAL, _TEXT, _BYTES = 3, 4, 5, 6, 7
_HEAD = struct.Struct(">BQ")
_ROW = struct.Struct(">BI")
_NAN = bytes.fromhex("7ff8000000000000")


def encode_row(values: Sequence[Value]) -> bytes:
    """Return the canonical bytes of a row.  Raises RowRefused, with the column."""
    parts = [_ROW.pack(VERSION, len(values))]
    for column, value in enumerate(values):
        if value is None:
            parts.append(_NULL)
        elif value is True:
            parts.append(_TRUE)
        elif value is False:
            parts.append(_FALSE)
        else:
            tag, content = _content(column, value)
            parts.append(_HEAD.pack(tag, len(content)))
            parts.append(content)
    return b"".join(parts)


def _content(column: int, value: float | Decimal | str | bytes) -> tuple[int, bytes]:
    if isinstance(value, str):
        try:
            return _TEXT, value.encode()
        except UnicodeEncodeError as error:
            raise RowRefused(column, "half of a surrogate pair has no UTF-8.") from error
    if isinstance(value, bytes):
        return _BYTES, value
    if isinstance(value, int):
        try:
            return _INTEGER, str(value).encode()
        except ValueError as error:
            reason = f"an integer has more than {MOST_DIGITS} digits."
            raise RowRefused(column, reason) from error
    if isinstance(value, float):
        # adding 0.0 turns -0.0 into 0.0: PostgreSQL, and IEEE 754, call the two equal
        return _FLOAT, _NAN if math.isnan(value) else struct.pack(">d", value + 0.0)
    if isinstance(value, Decimal):
        return _DECIMAL, _decimal(value)
    raise RowRefused(column, f"{type(value).__name__} is no type of a row's value.")


def _decimal(value: Decimal) -> bytes:
    if value.is_nan():
        return b"NaN"
    if value.is_infinite():
        return b"-Infinity" if value < 0 else b"Infinity"
    # not Decimal.normalize: it rounds to the precision of the context
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    if not kept:
        return b"0E0"
    return f"{'-' if sign else ''}{kept}E{int(exponent) + len(text) - len(kept)}".encode()

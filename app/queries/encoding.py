"""PostgreSQL's text values as JSON, by type.

int8 and numeric become numbers with all their digits (as strings on request), json stays itself,
times are ISO 8601, and what JSON has no word for (NaN, infinities, -infinity) is a string.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring

from query.fragment import ColumnType
from query.types import (
    BOOL,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    JSON,
    JSONB,
    NUMERIC,
    OID,
    TIMESTAMP,
    TIMESTAMPTZ,
    TIMETZ,
)

Encoder = Callable[[str], str]

# pg_type: array type → element type, for those whose elements are no strings
ARRAYS = {
    1000: BOOL, 1005: INT2, 1007: INT4, 1016: INT8, 1021: FLOAT4, 1022: FLOAT8, 1028: OID,
    1231: NUMERIC, 199: JSON, 3807: JSONB, 1115: TIMESTAMP, 1185: TIMESTAMPTZ, 1270: TIMETZ,
}  # fmt: skip
TEXT_ARRAYS = frozenset({
    1001, 1002, 1003, 1009, 1014, 1015, 1182, 1183, 1187, 2951, 1041, 651, 1040, 1561, 1563,
})  # fmt: skip
SHORT_OFFSET = re.compile(r"([+-]\d\d)$")
STRING: Encoder = encode_basestring


def _bool(text: str) -> str:
    return "true" if text == "t" else "false"


def _number(text: str) -> str:
    # NaN, Infinity, -Infinity: no JSON numbers.  All others PostgreSQL writes as JSON does.
    return text if text[-1] in "0123456789" else STRING(text)


def _json(text: str) -> str:
    # json keeps its author's white space; between tokens a blank is as good as a line break
    return text.replace("\n", " ").replace("\r", " ")


def _timestamp(text: str) -> str:
    return STRING(text.replace(" ", "T", 1) if text[0].isdigit() else text)


def _timestamptz(text: str) -> str:
    return _timestamp(SHORT_OFFSET.sub(r"\1:00", text))


def _timetz(text: str) -> str:
    return STRING(SHORT_OFFSET.sub(r"\1:00", text))


ENCODERS: dict[int, Encoder] = {
    BOOL: _bool, INT2: str, INT4: str, INT8: str, OID: str, NUMERIC: _number, FLOAT4: _number,
    FLOAT8: _number, JSON: _json, JSONB: _json, TIMESTAMP: _timestamp, TIMESTAMPTZ: _timestamptz,
    TIMETZ: _timetz,
}  # fmt: skip


def encoder_for(oid: int, *, numbers_as_strings: bool) -> Encoder:
    """Return how values of a type become JSON."""
    if numbers_as_strings and oid in (INT8, NUMERIC):
        return STRING
    if oid in ARRAYS or oid in TEXT_ARRAYS:
        element = encoder_for(ARRAYS.get(oid, 0), numbers_as_strings=numbers_as_strings)
        return lambda text: _array(text, element)
    return ENCODERS.get(oid, STRING)


def row_encoder(
    columns: Sequence[ColumnType], *, numbers_as_strings: bool
) -> Callable[[Sequence[str | None]], str]:
    """Return how a row becomes a JSON array."""
    encoders = [
        encoder_for(column.oid, numbers_as_strings=numbers_as_strings) for column in columns
    ]

    def encode_row(row: Sequence[str | None]) -> str:
        values = [
            "null" if value is None else encode(value)
            for encode, value in zip(encoders, row, strict=True)
        ]
        return f"[{','.join(values)}]"

    return encode_row


def encode_rows(
    columns: Sequence[ColumnType],
    rows: Iterable[Sequence[str | None]],
    *,
    numbers_as_strings: bool = False,
) -> str:
    """Return the rows as a JSON array of arrays."""
    encode_row = row_encoder(columns, numbers_as_strings=numbers_as_strings)
    return f"[{','.join(map(encode_row, rows))}]"


ARRAY_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([{},])|([^{},"]+)')
ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _array(text: str, element: Encoder) -> str:
    """Translate an array literal; bounds (`[0:1]={…}`) are dropped, as JSON has none."""
    if text.startswith("["):
        text = text.partition("=")[2]
    parts = []
    for match in ARRAY_TOKEN.finditer(text):
        quoted, mark, plain = match.groups()
        if mark is not None:
            parts.append({"{": "[", "}": "]", ",": ","}[mark])
        elif quoted is not None:
            parts.append(element(ESCAPED.sub(r"\1", quoted)))
        else:
            parts.append("null" if plain == "NULL" else element(plain))
    return "".join(parts)

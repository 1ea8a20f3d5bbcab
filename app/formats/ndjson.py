"""NDJSON: a line that tells what the rows are, one for each row, and one that tells the end."""

import json
from collections.abc import Iterator
from typing import Any

from app.formats.documents import column_documents, plan_document, timings_document
from app.queries.encoding import row_encoder
from app.queries.open_answer import OpenAnswer
from query.fragment import ColumnType
from query.types import (
    BOOL,
    BPCHAR,
    BYTEA,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    JSONB,
    NAME,
    NUMERIC,
    OID,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    VARCHAR,
)  # fmt: skip

PIECE_BYTES = 128 * 1024
MAX_FORMATTED_COLUMNS = 200

# Types whose JSON PostgreSQL writes as we do, which the tests hold it to: those whose text is JSON
# already, and those that to_json() is needed for.
TEXT_IS_JSON = frozenset({BOOL, INT2, INT4, INT8, OID, JSONB})
TO_JSON = frozenset({
    BPCHAR, BYTEA, DATE, FLOAT4, FLOAT8, INTERVAL, NAME, NUMERIC, TEXT, TIME, TIMESTAMP,
    TIMESTAMPTZ, UUID, VARCHAR,
    # arrays of these, by their oids in pg_type
    1000, 1002, 1003, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1028, 1115, 1182, 1185,
    1187, 1231, 2951,
})  # fmt: skip
NUMBER_ARRAYS = frozenset({1016, 1231})
# Nothing in these lines is ever quoted: JSON has no bare control characters.
COPY_OPTIONS = r"FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02'"


def ndjson_pieces(
    answer: OpenAnswer, query_id: str, *, numbers_as_strings: bool
) -> Iterator[bytes]:
    """Yield whole lines, of about PIECE_BYTES together."""
    head = {
        "query_id": query_id,
        "columns": column_documents(answer),
        "plan": plan_document(answer),
        "snapshot": answer.snapshot,
    }
    kept = line(head)
    formatted = _formatted(answer, numbers_as_strings=numbers_as_strings)
    if formatted is None:
        source = _encoded(answer, numbers_as_strings=numbers_as_strings)
    else:
        source = answer.copied(formatted)
    for piece in source:
        yield kept + piece
        kept = b""
    yield kept + line(
        {
            "row_count": answer.row_count,
            "truncated": answer.truncated,
            "complete": True,
            "timings_ms": timings_document(answer.timings),
        }
    )


def line(document: dict[str, Any]) -> bytes:
    """Return a line that is an object; rows are arrays."""
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def _encoded(answer: OpenAnswer, *, numbers_as_strings: bool) -> Iterator[bytes]:
    encode = row_encoder(answer.columns, numbers_as_strings=numbers_as_strings)
    lines: list[str] = []
    size = 0
    for row in answer.rows:
        encoded = encode(row)
        lines.append(encoded)
        size += len(encoded)
        if size >= PIECE_BYTES:
            lines.append("")
            yield "\n".join(lines).encode()
            lines, size = [], 0
    if lines:
        lines.append("")
        yield "\n".join(lines).encode()


def _formatted(answer: OpenAnswer, *, numbers_as_strings: bool) -> str | None:
    """Return the COPY by which PostgreSQL writes the rows; None where it may write other JSON."""
    if answer.sql is None or len(answer.columns) > MAX_FORMATTED_COLUMNS:
        return None
    values = []
    for place, column in enumerate(answer.columns):
        value = _value(f"c{place}", column, numbers_as_strings=numbers_as_strings)
        if value is None:
            return None
        values.append(f"coalesce({value}, 'null')")
    row = " || ',' || ".join(values)
    names = ", ".join(f"c{place}" for place in range(len(values)))
    return (
        f"COPY (SELECT '[' || {row} || ']' FROM (\n{answer.sql}\n) AS q({names})) "
        f"TO STDOUT ({COPY_OPTIONS})"
    )


def _value(name: str, column: ColumnType, *, numbers_as_strings: bool) -> str | None:
    if numbers_as_strings and column.oid in (INT8, NUMERIC):
        return f"'\"' || {name}::text || '\"'"
    if numbers_as_strings and column.oid in NUMBER_ARRAYS:
        return None
    if column.oid in TEXT_IS_JSON:
        return f"{name}::text"
    return f"pg_catalog.to_json({name})::text" if column.oid in TO_JSON else None

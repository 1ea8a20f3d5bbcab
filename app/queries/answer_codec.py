"""Answers as bytes: how they are kept in caches and as results of asynchronous queries.

JSON, since the standard library reads and writes it in C; zlib's fastest level where that saves
more than it costs.  A leading byte tells which.
"""

import json
import zlib
from dataclasses import astuple

from app.queries.request import Answer, Timings
from query.fragment import ColumnType

PLAIN = b"1"
COMPRESSED = b"2"
COMPRESS_FROM_BYTES = 4096
FASTEST = 1


def encode(answer: Answer) -> bytes:
    """Return the answer as bytes; its values stay the text that PostgreSQL wrote."""
    columns = [(column.oid, column.typmod, column.name) for column in answer.columns]
    document = [
        columns, answer.types, answer.rows, answer.truncated, answer.mode, answer.reason,
        answer.fragments, answer.snapshot, astuple(answer.timings),
    ]  # fmt: skip
    data = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    if len(data) < COMPRESS_FROM_BYTES:
        return PLAIN + data
    return COMPRESSED + zlib.compress(data, FASTEST)


def decode(data: bytes) -> Answer:
    """Read what `encode` wrote.  Raises ValueError for anything else."""
    try:
        body = data[1:]
        if data[:1] == COMPRESSED:
            body = zlib.decompress(body)
        elif data[:1] != PLAIN:
            raise ValueError("unknown format")
        columns, types, rows, truncated, mode, reason, fragments, snapshot, timings = json.loads(
            body
        )
        return Answer(
            columns=tuple(ColumnType(*column) for column in columns),
            types=tuple(types),
            rows=[tuple(row) for row in rows],
            truncated=truncated,
            mode=mode,
            reason=reason,
            fragments=fragments,
            snapshot=snapshot,
            timings=Timings(*timings),
        )
    except (TypeError, ValueError, zlib.error) as error:
        raise ValueError(f"not an answer: {error}") from error

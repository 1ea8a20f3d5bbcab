"""Values as bytes, in and out: no text form twice the size, and nothing to decode."""

from collections.abc import Sequence

import psycopg
from psycopg.pq import ExecStatus, Format

from db.pool import Connection


def execute_binary(
    connection: Connection, sql: str, values: Sequence[bytes | str | None]
) -> list[list[bytes | None]]:
    """Run one statement; parameters that are `bytes` go out as they are, `str` as text.

    Result values are PostgreSQL's binary form of their types: of bytea and text the content, of
    int4 and int8 big-endian (`int.from_bytes(value, "big", signed=True)`).  Raises psycopg.Error.
    """
    formats = [Format.BINARY if isinstance(value, bytes) else Format.TEXT for value in values]
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    result = connection.extended(sql.encode(), encoded, formats, Format.BINARY)
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        raise psycopg.errors.error_from_result(result)
    columns = range(result.nfields)
    return [[result.get_value(row, column) for column in columns] for row in range(result.ntuples)]


def integer(value: bytes | None) -> int:
    """Return the number of a binary int4 or int8, which is not null."""
    return int.from_bytes(value or b"", "big", signed=True)

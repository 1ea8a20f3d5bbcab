"""CSV as PostgreSQL's COPY writes it: NULL is empty, the empty string is "".

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

import re
from collections.abc import Iterator, Sequence

from app.queries.open_answer import OpenAnswer

PIECE_BYTES = 128 * 1024
_SPECIAL = re.compile(r'[",\r\n]')


def csv_pieces(answer: OpenAnswer, *, header: bool = True) -> Iterator[bytes]:
    """Yield whole lines, of about PIECE_BYTES together; the first piece begins with the header."""
    if answer.sql is not None:
        option = ", HEADER" if header else ""
        # the line break keeps a comment at the end from taking the parenthesis with it
        copy = f"COPY (\n{answer.sql}\n) TO STDOUT (FORMAT csv{option})"
        yield from answer.copied(copy, head_rows=1 if header else 0)
        return
    lines = [csv_line([column.name for column in answer.columns])] if header else []
    size = 0
    for row in answer.rows:
        line = csv_line(row)
        lines.append(line)
        size += len(line)
        if size >= PIECE_BYTES:
            yield "".join(lines).encode()
            lines, size = [], 0
    if lines:
        yield "".join(lines).encode()


def csv_line(row: Sequence[str | None]) -> str:
    """Return the line of one row."""
    if len(row) == 1 and row[0] == "\\.":
        return '"\\."\n'  # alone in a line it would be the end of data to older readers
    return ",".join([_field(value) for value in row]) + "\n"


def _field(value: str | None) -> str:
    if value is None:
        return ""
    if value and _SPECIAL.search(value) is None:
        return value
    return '"' + value.replace('"', '""') + '"'

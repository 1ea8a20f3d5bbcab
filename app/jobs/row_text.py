"""Rows of jobs as CSV and NDJSON, from the JSON that they are kept in, at some million a second."""

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from jobs.output import Piece

_SPECIAL = re.compile(r'[",\r\n]')
# Where none of these is in the JSON, Python's csv module writes what `csv_line` does: it knows no
# difference between null and the empty string, and has words of its own for true and false.
_UNUSUAL = re.compile(r'""|true|false|\{|\\r|NaN|Infinity')


def csv_text(piece: Piece) -> str:
    """Return the lines of a piece: quoted as in RFC 4180, null is nothing, `""` is empty text."""
    text = piece.text
    # an array within a row opens a bracket more than there are rows and one around them
    if _UNUSUAL.search(text) or text.count("[") != piece.count + 1:
        return "".join(map(csv_line, piece.rows))
    rows = piece.rows
    if rows and len(rows[0]) == 1:  # a single null would be written as "", and it has to be nothing
        return "".join(map(csv_line, rows))
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


def csv_line(row: Sequence[Any]) -> str:
    """Return the line of one row."""
    if len(row) == 1 and row[0] == "\\.":
        return '"\\."\n'  # alone in a line it would be the end of data to older readers
    return ",".join(map(_field, row)) + "\n"


def ndjson_text(piece: Piece) -> str:
    """Return the lines of a piece, each an array."""
    text = piece.text
    if text.count("],[") == piece.count - 1:  # no row, and no text, has that within it
        return text[1:-1].replace("],[", "]\n[") + "\n"
    return "".join(json.dumps(row, **_COMPACT) + "\n" for row in piece.rows)


_COMPACT: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}


def _field(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, **_COMPACT)
    if text and _SPECIAL.search(text) is None:
        return text
    return '"' + text.replace('"', '""') + '"'

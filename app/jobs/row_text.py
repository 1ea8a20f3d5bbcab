"""Rows of jobs as CSV and NDJSON, from the JSON that they are kept in, at some million a second."""

import json
import re
from collections.abc import Sequence
from typing import Any

from jobs.output import Piece

_SPECIAL = re.compile(r'[",\r\n]')
# What makes a line of CSV more than the JSON without its quotes: escapes, text that has to stay in
# quotes, objects, and null.
_UNUSUAL = ("\\", '""', "{", "null")


def csv_text(piece: Piece, width: int) -> str:
    """Return the lines of a piece: quoted as in RFC 4180, null is nothing, `""` is empty text.

    `width` is the number of columns.
    """
    text = piece.text
    if (
        # no array within a row, and no comma or bracket within a text
        text.count("[") == piece.count + 1
        and text.count("]") == piece.count + 1
        and text.count(",") == piece.count * width - 1
        and not any(mark in text for mark in _UNUSUAL)
    ):
        return text[2:-2].replace("],[", "\n").replace('"', "") + "\n"
    return "".join(map(csv_line, piece.rows))


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

"""Rows as one text, the same whether they come from the API or from PostgreSQL itself."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any


def text_of(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows of integers, numerics, texts and NULLs as one text."""
    return json.dumps([[_plain(value) for value in row] for row in rows], separators=(",", ":"))


def rows_of(body: bytes) -> list[list[Any]] | None:
    """Return the rows of an answer of `/v1/query`, with all digits; None if it has none."""
    try:
        document = json.loads(body, parse_float=Decimal)
    except ValueError:
        return None
    rows = document.get("rows") if isinstance(document, dict) else None
    return rows if isinstance(rows, list) else None


def _plain(value: object) -> object:
    # PostgreSQL's numerics without digits behind the point are integers in JSON
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value

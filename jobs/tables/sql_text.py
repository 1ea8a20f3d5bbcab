"""Names and values in the text of a statement."""

from collections.abc import Iterable


def name(text: str) -> str:
    """Return a quoted identifier."""
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a quoted string, for standard_conforming_strings = on."""
    return "'" + text.replace("'", "''") + "'"


def row(parts: Iterable[str]) -> str:
    """Return expressions as one that compares: in brackets, as a row where there are several."""
    return "(" + ", ".join(parts) + ")"

"""Tables of text: numbers to the right, words to the left."""

import math
from collections.abc import Sequence


def rendered(headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return the table; the first `left` columns and the last one hold words."""
    widths = [max(len(line[place]) for line in (headings, *rows)) for place in range(len(headings))]
    lines = []
    for line in (headings, *rows):
        cells = [
            cell.ljust(width) if place < left or place == len(line) - 1 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def milliseconds(value: float | None) -> str:
    """Return a time, with three digits that count; "-" if there is none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def times(value: float | None) -> str:
    """Return a ratio such as "12.3x"; "-" if there is none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.0f}x" if value >= 100 else f"{value:.1f}x" if value >= 10 else f"{value:.2f}x"


def brief(text: str, length: int = 60) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"

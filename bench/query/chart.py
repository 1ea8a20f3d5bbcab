"""A chart of bars as SVG: a group of bars for each query, on a scale of powers of ten."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#8c8c8c", "#5b7fa6", "#c9a227", "#b5654a", "#2f8f5b", "#7a5ea8", "#222222", "#d17fb0")
LEFT, RIGHT, TOP, BOTTOM = 70, 40, 76, 30
BAR, GAP = 7, 8
WIDTH = 900


@dataclass(frozen=True)
class Group:
    """Bars of one name: a positive number of milliseconds for each series, or None."""

    name: str
    values: Sequence[float | None]


def bars(title: str, series: Sequence[str], groups: Sequence[Group]) -> str:
    """Return the SVG; `series` names the bars of each group, from top to bottom."""
    known = [value for group in groups for value in group.values if value is not None and value > 0]
    first = math.floor(math.log10(min(known, default=1)))
    last = max(first + 1, math.ceil(math.log10(max(known, default=10))))
    tall = BAR * len(series) + GAP
    bottom = TOP + tall * len(groups)
    size = f'width="{WIDTH}" height="{bottom + BOTTOM}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="10" y="20" font-size="15">{escape(title)}</text>',
        *_legend(series),
        *_grid(first, last, bottom),
    ]
    for number, group in enumerate(groups):
        top = TOP + tall * number
        middle = top + (tall - GAP) / 2 + 4
        parts.append(
            f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end">{escape(group.name)}</text>'
        )
        for place, value in enumerate(group.values):
            if value is not None and value > 0:
                length = _x(value, first, last) - LEFT
                parts.append(
                    f'<rect x="{LEFT}" y="{top + BAR * place}" width="{max(length, 0.5):.1f}" '
                    f'height="{BAR - 1}" fill="{COLOURS[place % len(COLOURS)]}">'
                    f"<title>{escape(series[place])}: {value:.3g} ms</title></rect>"
                )
    return "\n".join([*parts, "</svg>", ""])


def _x(value: float, first: int, last: int) -> float:
    share = (math.log10(value) - first) / (last - first)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _legend(series: Sequence[str]) -> list[str]:
    parts, x = [], 10.0
    for place, name in enumerate(series):
        colour = COLOURS[place % len(COLOURS)]
        parts.append(f'<rect x="{x:.0f}" y="32" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14:.0f}" y="41">{escape(name)}</text>')
        x += 30 + 6.2 * len(name)
    return parts


def _grid(first: int, last: int, bottom: int) -> list[str]:
    parts = []
    for power in range(first, last + 1):
        x = _x(10.0**power, first, last)
        label = f"{10.0**power:,g} ms" if power < 3 else f"{10.0 ** (power - 3):,g} s"
        parts.append(
            f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>'
        )
        parts.append(f'<text x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{label}</text>')
    return parts

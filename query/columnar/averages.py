"""The quotient that avg is, as PostgreSQL's numeric division rounds it.

`select_div_scale` keeps about sixteen significant digits: with both operands in digits of base
10,000, `qweight` is the difference of the places of their first digits, one less where the
dividend's first digit is not the larger one, and the scale is 16 - 4·qweight, but at least that
of either operand.  `div_var` rounds half away from zero.
"""

import math

from query.columnar.kinds import MOST_DIGITS, Kind, numeric
from query.columnar.values import failing

SIGNIFICANT, BASE = 16, 4  # digits to keep; decimal digits in one of base 10,000
# Averages that want more digits behind the point (tiny ones) make the expression raise.
LARGEST = 20
HIGHEST_PLACE = 4  # sums below 10²⁰ and counts below 10²⁰: beyond that it raises, too
TINY = "an average with more digits than are kept"
HUGE = "a sum that is too large for an average"


def average(total: str, scale: int, count: str) -> tuple[str, str, Kind]:
    """Return quotient, the scale that PostgreSQL shows, and the quotient's kind.

    `total` is a DECIMAL of `scale`, at most 20, and `count` a BIGINT; null over no rows.
    """
    scales = sorted({one for one in range(0, LARGEST + 1, BASE) if one >= scale} | {scale})
    kind = numeric(MOST_DIGITS, LARGEST, *scales)
    up = _by_scale("z_.shown", {one: _power(one - scale) for one in scales})
    down = _by_scale("z_.shown", {one: _power(LARGEST - one) for one in scales})
    kept = f"((2 * z_.whole * {up} + z_.count) // (2 * z_.count)) * {down}"
    unit = f"CAST('0.{'0' * (LARGEST - 1)}1' AS DECIMAL({LARGEST + 1},{LARGEST}))"
    value = f"CAST(CAST(z_.sign * {kept} AS DECIMAL({MOST_DIGITS},0)) * {unit} AS {kind.duckdb})"
    return _scaled(total, scale, count, value), _scaled(total, scale, count, "z_.shown"), kind


def _scaled(total: str, scale: int, count: str, result: str) -> str:
    """Return `result`, which may name the operands and the scale as parts of `z_`."""
    one = f"CAST('1{'0' * scale}' AS DECIMAL({scale + 1},0))"
    operands = (
        f"{{'whole': CAST(abs({total}) * {one} AS HUGEINT), 'count': CAST({count} AS HUGEINT), "
        f"'sign': CASE WHEN {total} < 0 THEN -1 ELSE 1 END}}"
    )
    place, first = _leading("x_.whole", scale)
    count_place, count_first = _leading("x_.count", 0)
    digits = (
        f"{{'whole': x_.whole, 'count': x_.count, 'sign': x_.sign, 'first': {first}, "
        f"'count_first': {count_first}, 'weight': {place} - {count_place}}}"
    )
    weight = "(y_.weight - CASE WHEN y_.first <= y_.count_first THEN 1 ELSE 0 END)"
    wanted = f"greatest({SIGNIFICANT} - {BASE} * {weight}, {scale})"
    tiny = failing(TINY, wanted, "BIGINT")
    chosen = (
        "{'whole': y_.whole, 'count': y_.count, 'sign': y_.sign, "
        f"'shown': CASE WHEN {wanted} <= {LARGEST} THEN {wanted} ELSE {tiny} END}}"
    )
    body = _let("x_", operands, _let("y_", digits, _let("z_", chosen, result)))
    return f"(CASE WHEN {count} > 0 THEN {body} END)"


def _let(name: str, value: str, body: str) -> str:
    """Return `body`, in which `name` stands for `value`: so that it is written once."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"


def _power(exponent: int) -> str:
    return f"CAST('1{'0' * exponent}' AS HUGEINT)"


def _leading(whole: str, scale: int) -> tuple[str, str]:
    """Return place and value of the first digit to base 10,000 of `whole` / 10^`scale`."""
    places, firsts = [], []
    for place in range(HIGHEST_PLACE, -math.ceil(scale / BASE) - 1, -1):
        exponent = BASE * place + scale
        least = _power(max(0, exponent))
        first = f"{whole} // {least}" if exponent >= 0 else f"{whole} * {_power(-exponent)}"
        places.append(f"WHEN {whole} >= {least} THEN {place}")
        firsts.append(f"WHEN {whole} >= {least} THEN {first}")
    huge = failing(HUGE, whole, "INTEGER")
    too_large = f"WHEN {whole} >= {_power(BASE * (HIGHEST_PLACE + 1) + scale)} THEN {huge}"
    return (
        f"(CASE {too_large} {' '.join(places)} ELSE 0 END)",
        f"(CASE {' '.join(firsts)} ELSE 0 END)",
    )


def _by_scale(scale: str, values: dict[int, str]) -> str:
    whens = " ".join(f"WHEN {one} THEN {value}" for one, value in values.items())
    return f"(CASE {scale} {whens} END)"

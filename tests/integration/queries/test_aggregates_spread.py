# ruff: noqa: E501 - SQL reads best on one line
"""Variance and deviation, digit for digit: thousands of groups of every scale at once."""

import random
from collections.abc import Iterator

import psycopg
import pytest

from app.queries.service import QueryService
from tests.integration.queries.test_exactness import ask

GROUPS = 3000
NAMES = ("stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop")


def number(chance: random.Random, digits: int, scale: int) -> str:
    """Return a number of up to so many digits before and behind the point."""
    whole = chance.randint(0, 10 ** chance.randint(0, digits))
    behind = "." + "".join(chance.choices("0123456789", k=scale)) if scale else ""
    return f"{chance.choice(['', '', '-'])}{whole}{behind}"


def group(chance: random.Random) -> list[str | None]:
    """Return the values of a group: alike or not, of one scale or several, near zero or huge."""
    size = chance.choice([1, 2, 2, 3, 4, 5, 8, 13])
    digits = chance.choice([0, 1, 3, 8, 16, 30, 60])
    scales = [chance.choice([0, 0, 1, 2, 5, 12, 40]) for _ in range(2)]
    values = [number(chance, digits, chance.choice(scales)) for _ in range(size)]
    kind = chance.random()
    if kind < 0.15:  # nearly equal: what the subtraction leaves is small
        values = [f"{values[0].partition('.')[0]}.{chance.randint(0, 3):012d}" for _ in values]
    elif kind < 0.3:  # tiny
        values = [f"0.{'0' * chance.randint(0, 60)}{chance.randint(0, 999)}" for _ in values]
    elif kind < 0.35:
        values = [values[0]] * size
    return [None if chance.random() < 0.05 else value for value in values]


def nearly_half(m: int) -> list[str | None]:
    """Return values whose variance is j² + j, the root of which lies just below j + ½.

    Rounded to a few digits it is j + ½, and rounded once more it is one too much.
    """
    j = m * m
    return [str(value) for value in (2 * j, -2 * j, 2 * m, -2 * m, 0, 0, 0, 0)]


@pytest.fixture(scope="module", autouse=True)
def samples(tables_url: str) -> Iterator[None]:
    """Groups of values, those of a group spread over the whole table."""
    chance = random.Random(20240229)
    groups = [group(chance) for _ in range(GROUPS)]
    groups += [nearly_half(m) for m in (10**3, 10**4, 10**5, 10**5 + 7, 10**6, 10**7)]
    rows = [(place, value) for place, values in enumerate(groups) for value in values]
    chance.shuffle(rows)
    with psycopg.connect(tables_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE samples (k int, x numeric, i bigint, s smallint)")
        with connection.cursor().copy("COPY samples (k, x, i, s) FROM STDIN") as copy:
            for k, value in rows:
                integer = chance.randint(-(2**63), 2**63 - 1) >> chance.randint(0, 62)
                copy.write_row((k, value, integer, chance.randint(-(2**15), 2**15 - 1)))
        connection.execute("ANALYZE samples")
    yield
    with psycopg.connect(tables_url, autocommit=True) as connection:
        connection.execute("DROP TABLE samples")


@pytest.mark.parametrize(
    "values", ["x", "i", "s", "k", "x / 7", "x * i", "round(x, 3)", "abs(s) % 2"]
)
def test_each_digit_is_postgresqls(service: QueryService, values: str) -> None:
    calls = ", ".join(f"{name}({values})" for name in NAMES)
    for key in ("k", "k % 100"):
        sql = f"SELECT {key}, {calls} FROM samples GROUP BY 1 ORDER BY 1"
        split, whole = ask(service, sql, "auto"), ask(service, sql, "direct")
        assert split.mode == "partitioned", split.reason
        assert (split.columns, split.types) == (whole.columns, whole.types)
        wrong = [pair for pair in zip(split.rows, whole.rows, strict=True) if pair[0] != pair[1]]
        assert not wrong


def test_the_whole_table_has_the_same_spread(service: QueryService) -> None:
    calls = ", ".join(f"{name}({values})" for name in NAMES for values in ("x", "i", "s", "k"))
    sql = f"SELECT {calls} FROM samples"
    split, whole = ask(service, sql, "auto"), ask(service, sql, "direct")
    assert split.mode == "partitioned", split.reason
    assert split.rows == whole.rows
    assert all(value is not None for value in whole.rows[0])


def test_rounding_the_root_twice_would_be_noticed(tables_url: str) -> None:
    sql = "SELECT round(sqrt(var_pop(x)), scale(var_pop(x))) = stddev_pop(x) FROM samples WHERE k >= %s GROUP BY k"
    with psycopg.connect(tables_url) as connection:
        rows = connection.execute(sql, [GROUPS]).fetchall()
    assert (False,) in rows, "the values of nearly_half would not notice it"

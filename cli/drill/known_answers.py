"""Questions whose answers are known before the drill, by PostgreSQL itself or by arithmetic."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import RawCursor

from cli.drill.errors import DrillImpossible
from cli.drill.plain import text_of

RANGES = 12  # different parameters of each statement: so many answers are cached at most
ROWS = 100_000  # of the demo table
KNOWN_NUMBERS = 5_000

# PostgreSQL takes the range join for costly, so that it is split unasked, and it is not
SPLIT = """SELECT a.grp, count(*), sum(b.n), max(b.amount)
    FROM numbers a JOIN numbers b ON b.id BETWEEN a.id AND a.id + 2
    WHERE a.id BETWEEN $1 AND $2 GROUP BY a.grp ORDER BY a.grp"""
DIRECT = (
    """SELECT grp, count(*), sum(n), min(n), max(n), avg(amount) FROM numbers
    WHERE id BETWEEN $1 AND $2 GROUP BY grp ORDER BY grp""",
    "SELECT count(*), sum(n), sum(amount) FROM numbers WHERE id BETWEEN $1 AND $2",
    "SELECT id, n, grp, amount FROM numbers WHERE id BETWEEN $1 AND $2 ORDER BY n, id LIMIT 5",
)
SERIES = "SELECT count(*), sum(i) FROM generate_series($1::bigint, $2::bigint) AS i"


@dataclass(frozen=True)
class Question:
    """A statement with two parameters, and its answer as `text_of` writes it."""

    sql: str
    params: tuple[int, int]
    expected: str


@dataclass(frozen=True)
class KnownAnswers:
    """`direct`: cheap ones.  `split`: run in parts if left to choose.

    `numbers`: column n of the demo table, of ids from 1.
    """

    direct: Sequence[Question]
    split: Sequence[Question]
    numbers: Sequence[int]


def known_answers(connection: psycopg.Connection[Any], rng: random.Random) -> KnownAnswers:
    """Ask PostgreSQL, past everything that the drill is to test.  Raises DrillImpossible."""
    try:
        connection.execute("SET TimeZone = 'UTC'")
        with RawCursor(connection) as cursor:
            direct = [_asked(cursor, sql, _span(rng, 2_000)) for sql in DIRECT * RANGES]
            split = [_asked(cursor, SPLIT, _span(rng, 1_000)) for _ in range(2 * RANGES)]
            cursor.execute("SELECT n FROM numbers WHERE id <= $1 ORDER BY id", [KNOWN_NUMBERS])
            numbers = [int(row[0]) for row in cursor.fetchall()]
    except psycopg.errors.UndefinedTable as error:
        raise DrillImpossible(
            "The demo table `numbers` is not there, and the known answers are of it. Run the drill "
            "on a data folder where `millrace up` has made it and nobody has dropped it."
        ) from error
    if len(numbers) != KNOWN_NUMBERS:
        raise DrillImpossible("The table `numbers` is not the demo table: rows of it are missing.")
    direct += [_counted(_span(rng, 1_000)) for _ in range(RANGES)]
    return KnownAnswers(direct, split, numbers)


def _span(rng: random.Random, most: int) -> tuple[int, int]:
    width = rng.randint(most // 4, most)
    first = rng.randint(1, ROWS - width)
    return first, first + width


def _asked(cursor: RawCursor[Any], sql: str, params: tuple[int, int]) -> Question:
    return Question(sql, params, text_of(cursor.execute(sql, params).fetchall()))


def _counted(span: tuple[int, int]) -> Question:
    first, last = span
    count = last - first + 1
    return Question(SERIES, span, text_of([[count, (first + last) * count // 2]]))

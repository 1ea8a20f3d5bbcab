"""How cost grows: with the rows of a table, and with the number of workers."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

from bench.query import tables
from bench.query.contest import Contest, Measured, Patience
from bench.query.partials import Partials
from bench.query.sides import MillraceSide, PostgresSide, Side
from bench.query.stack import Stack
from bench.query.summary import COLUMNAR
from bench.query.table import milliseconds, rendered, times

# heap, index, what sorting the index takes meanwhile, and segments, generously
BYTES_A_ROW = 220
SIDES = ("single", "parallel", "partitioned", "columnar", "repeated")
# the columns of `numbers`, by one hash instead of many so that large tables take minutes
_FILL = """
CREATE TABLE {name} AS
SELECT i::int AS id, (h % 100000)::int AS n, (h >> 8 & 65535) / 65.536::float8 AS v,
       'g' || (h >> 16) % 10 AS grp,
       CASE WHEN (h >> 20) % 20 > 0 THEN ((h >> 24) % 1200000 - 200000) / 100.0 END::numeric(12,2)
           AS amount,
       timestamptz '2024-01-01 UTC' + make_interval(secs => (h >> 30) % 31536000) AS created_at
  FROM generate_series(1, {rows}) AS i,
       LATERAL (SELECT hashint8extended(i, 7) & 4611686018427387903) AS hashed (h)"""
_REQUIRED = """ALTER TABLE {name} ALTER id SET NOT NULL, ALTER n SET NOT NULL, ALTER v SET NOT NULL,
  ALTER grp SET NOT NULL, ALTER created_at SET NOT NULL, ADD PRIMARY KEY (id)"""
QUERIES = {
    "groups": "SELECT grp, count(*), sum(amount), avg(amount), max(n) FROM {name} "
    "GROUP BY grp ORDER BY grp",
    "filter": "SELECT count(*), sum(amount) FROM {name} WHERE n < 1000",
    "month": "SELECT sum(amount) FROM {name} WHERE created_at >= '2024-03-01' "
    "AND created_at < '2024-04-01'",
    "distinct": "SELECT count(DISTINCT n) FROM {name}",
    "top": "SELECT id, amount FROM {name} WHERE amount IS NOT NULL ORDER BY amount DESC, id "
    "LIMIT 10",
}


@dataclass(frozen=True)
class GrowOptions:
    """Rows from 10^first to 10^last, and workers from one to `workers`."""

    first: int
    last: int
    workers: int
    rounds: int
    patience: Patience


@dataclass(frozen=True)
class Point:
    """What a query took at one size, with so many workers."""

    query: str
    rows: int
    workers: int
    sides: dict[str, Measured]

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        sides = {name: measured.document() for name, measured in self.sides.items()}
        return {"query": self.query, "rows": self.rows, "workers": self.workers, "sides": sides}


def grow(stack: Stack, options: GrowOptions) -> list[Point]:
    """Run and print all."""
    points: list[Point] = []
    largest = ""
    for power in range(options.first, options.last + 1):
        rows = 10**power
        free = shutil.disk_usage(stack.options.folder).free
        if rows * BYTES_A_ROW > free:
            wanted = rows * BYTES_A_ROW / 1e9
            print(
                f"10^{power} rows: not run; they want {wanted:.0f} GB, {free / 1e9:.0f} GB are free"
            )
            break
        largest = f"rows_1e{power}"
        _load(stack, largest, rows)
        tables.build(stack, [largest])
        points += _measure(stack, options, largest, rows, list(SIDES))
    print("\n" + _rows_table(points))
    print("\n" + "\n".join(_problems(points)))
    by_workers: list[Point] = []
    for number in range(1, options.workers + 1):
        stack.have_workers(number)
        sides = ["single", "parallel", "partitioned", "columnar"]
        by_workers += _measure(stack, options, largest, points[-1].rows, sides)
    stack.have_workers(stack.options.workers)
    print(f"\n{points[-1].rows:,} rows, by the number of workers\n")
    print(_workers_table(by_workers))
    return points + by_workers


def _load(stack: Stack, name: str, rows: int) -> None:
    with stack.connect() as connection:
        there = connection.execute("SELECT to_regclass(%s) IS NULL", [name]).fetchone()
        if there == (True,):
            print(f"{name}: filling", flush=True)
            with connection.transaction():
                connection.execute(_FILL.format(name=name, rows=rows).encode())
                connection.execute(_REQUIRED.format(name=name).encode())
            connection.execute(f"VACUUM (ANALYZE) {name}".encode())


def _measure(
    stack: Stack, options: GrowOptions, name: str, rows: int, wanted: Sequence[str]
) -> list[Point]:
    points = []
    with ExitStack() as open_sides:
        sides = _sides(stack, options.patience.limit_s, open_sides)
        in_turn = [sides[side] for side in wanted if side != "repeated"]
        for query, sql in QUERIES.items():
            contest = Contest(sql.format(name=name), options.patience)
            contest.run(in_turn, options.rounds + 1)
            if "repeated" in wanted:
                contest.fill(sides["repeated"])
                contest.run([sides["repeated"]], options.rounds + 1)
            points.append(Point(query, rows, len(stack.workers), contest.results))
    return points


def _sides(stack: Stack, limit_s: float, open_sides: ExitStack) -> dict[str, Side]:
    partials = Partials(stack.redis)

    def millrace(
        name: str, engine: str, modes: Sequence[str], prepare: Callable[[], None] = lambda: None
    ) -> Side:
        side = MillraceSide(name, stack.port, engine, modes, limit_s, prepare)
        return open_sides.enter_context(closing(side))

    postgres = [
        open_sides.enter_context(closing(PostgresSide(name, stack.database_url, most, limit_s)))
        for name, most in (("single", 0), ("parallel", None))
    ]
    return {
        "single": postgres[0],
        "parallel": postgres[1],
        "partitioned": millrace("partitioned", "partitioned", ("partitioned",)),
        "columnar": millrace("columnar", "columnar", COLUMNAR, partials.forget),
        "repeated": millrace("repeated", "columnar", COLUMNAR),
    }


def _rows_table(points: Sequence[Point]) -> str:
    """Return, per query and size, the milliseconds, and those per million rows in parentheses."""
    headings = ["query", "rows", *SIDES, "x single", "x parallel"]
    lines = []
    for point in sorted(points, key=lambda one: (list(QUERIES).index(one.query), one.rows)):
        cells = [_per_million(point.sides[side], point.rows) for side in SIDES]
        lines.append([point.query, f"{point.rows:,}", *cells, *_ratios(point)])
    return "medians in ms (and ms per million rows)\n\n" + rendered(headings, lines)


def _workers_table(points: Sequence[Point]) -> str:
    headings = ["query", "workers", "single", "parallel", "partitioned", "columnar"]
    lines = []
    for point in sorted(points, key=lambda one: (list(QUERIES).index(one.query), one.workers)):
        cells = [milliseconds(point.sides[side].median_ms) for side in headings[2:]]
        lines.append([point.query, str(point.workers), *cells, *_ratios(point)])
    return rendered([*headings, "x single", "x parallel"], lines)


def _problems(points: Sequence[Point]) -> list[str]:
    return [
        f"{point.query}, {point.rows:,} rows, {side}: {measured.problem or 'the answer DIFFERS'}"
        for point in points
        for side, measured in point.sides.items()
        if measured.verdict == "DIFFERS" or (measured.problem and side != "repeated")
    ]


def _per_million(measured: Measured, rows: int) -> str:
    found = measured.median_ms
    if found is None:
        return f">{measured.over_ms:.0f}" if measured.over_ms else "-"
    return f"{milliseconds(found)} ({milliseconds(found * 1e6 / rows)})"


def _ratios(point: Point) -> list[str]:
    ours = point.sides["columnar"].median_ms
    found = [point.sides[side].at_least_ms for side in ("single", "parallel")]
    return ["-" if theirs is None or ours is None else times(theirs / ours) for theirs in found]

"""The main mode: TPC-H's queries and a wide table's, on all sides."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.queries.side_by_side import read_queries
from bench.query import wide
from bench.query.chart import Group, bars
from bench.query.contest import Contest, Measured, Patience
from bench.query.partials import Partials
from bench.query.segments import segment_files
from bench.query.sides import DuckSide, MillraceSide, PostgresSide, Side, drop_pages
from bench.query.stack import Stack
from bench.query.summary import COLUMNAR, Compared, problems, summary
from bench.query.table import milliseconds, rendered, times

TPCH = Path(__file__).resolve().parent.parent / "tpch" / "queries.sql"
SIDES = ("single", "parallel", "direct", "partitioned", "cold", "columnar", "repeated", "duckdb")
CHARTED = ("single", "parallel", "partitioned", "columnar", "repeated", "duckdb")


@dataclass(frozen=True)
class CompareOptions:
    """What is compared: `scale` 0 or `rows` 0 leave TPC-H or the wide table out."""

    scale: float
    rows: int
    rounds: int
    repeats: int
    threads: int
    patience: Patience
    only: Sequence[str] = ()


@dataclass(frozen=True)
class Sides:
    """All sides of a comparison; `first` may disturb others' caches, and runs once."""

    in_turn: Sequence[Side]
    first: Side
    repeated: Side
    planner: MillraceSide


def compare(stack: Stack, options: CompareOptions) -> dict[str, list[Compared]]:
    """Run and print all; return what came of each query, by set of queries."""
    sets: dict[str, list[Compared]] = {}
    with ExitStack() as open_sides:
        sides = _sides(stack, options, open_sides)
        for label, queries in _queries(options).items():
            print(f"\n{label}: medians in ms; at most {options.rounds} runs after a first one\n")
            sets[label] = []
            for name, sql in queries:
                print(name, end=" ", file=sys.stderr, flush=True)
                sets[label].append(_one(sides, options, name, sql))
            print(file=sys.stderr)
            print(_table(sets[label]))
            print("\n" + "\n".join(summary(sets[label])))
            print("\n" + "\n".join(problems(sets[label])), flush=True)
    return sets


def _one(sides: Sides, options: CompareOptions, name: str, sql: str) -> Compared:
    contest = Contest(sql, options.patience)
    reference, *others = sides.in_turn
    contest.run([reference], 1)  # whose answer is that of all
    contest.run([sides.first], 1)
    contest.run(others, 1)
    contest.run(sides.in_turn, options.rounds)
    # one after the other, since other sides forget what it lives on
    contest.fill(sides.repeated)
    contest.run([sides.repeated], options.repeats + 1)
    return Compared(name, contest.results, sides.planner.explained_mode(sql))


def _sides(stack: Stack, options: CompareOptions, open_sides: ExitStack) -> Sides:
    limit_s = options.patience.limit_s
    files = segment_files(stack)
    partials = Partials(stack.redis)

    def forget_all() -> None:
        partials.forget()
        drop_pages([file.path for file in files])

    def millrace(
        name: str, engine: str, modes: Sequence[str], prepare: Callable[[], None] = lambda: None
    ) -> MillraceSide:
        side = MillraceSide(name, stack.port, engine, modes, limit_s, prepare)
        return open_sides.enter_context(closing(side))

    single, parallel = (
        open_sides.enter_context(closing(PostgresSide(name, stack.database_url, most, limit_s)))
        for name, most in (("single", 0), ("parallel", None))
    )
    bare = open_sides.enter_context(closing(DuckSide("duckdb", files, options.threads, limit_s)))
    planner = millrace("auto", "auto", (), partials.forget)
    in_turn: list[Side] = [
        single, parallel, millrace("direct", "direct", ("direct",)),
        millrace("partitioned", "partitioned", ("partitioned",)),
        millrace("columnar", "columnar", COLUMNAR, partials.forget), planner, bare,
    ]  # fmt: skip
    return Sides(
        in_turn, millrace("cold", "columnar", COLUMNAR, forget_all),
        millrace("repeated", "columnar", COLUMNAR), planner,
    )  # fmt: skip


def _queries(options: CompareOptions) -> dict[str, list[tuple[str, str]]]:
    sets: dict[str, list[tuple[str, str]]] = {}
    if options.scale:
        fraction = f"{0.0001 / options.scale:.10f}"
        sets[f"TPC-H at scale {options.scale:g}"] = read_queries(TPCH, fraction=fraction)
    if options.rows:
        sets[f"hits, {options.rows:,} rows of {wide.COLUMNS} columns"] = wide.queries()
    if options.only:
        for label, queries in sets.items():
            sets[label] = [one for one in queries if one[0] in options.only]
    return {label: queries for label, queries in sets.items() if queries}


def _table(results: Sequence[Compared]) -> str:
    headings = ["query", "mode", *SIDES, "auto", "x single", "x parallel", "/ duckdb", "chosen"]
    rows = []
    for one in results:
        columnar = one.sides["columnar"]
        ours = columnar.median_ms
        rows.append([
            one.name, columnar.plan.mode if columnar.plan else "-",
            *(_cell(one.sides[side]) for side in (*SIDES, "auto")),
            times(one.ratio("single", ours)), times(one.ratio("parallel", ours)),
            times(one.overhead), one.chosen,
        ])  # fmt: skip
    return rendered(headings, rows, left=2)


def _cell(measured: Measured) -> str:
    if measured.over_ms is not None and not measured.milliseconds:
        return f">{measured.over_ms:.0f}"
    mark = {"DIFFERS": "!", "ties": "~"}.get(measured.verdict, "")
    return milliseconds(measured.median_ms) + mark


def document(sets: dict[str, list[Compared]]) -> dict[str, Any]:
    """Return it for JSON."""
    return {
        label: {"queries": [one.document() for one in results], "summary": summary(results)}
        for label, results in sets.items()
    }


def chart(sets: dict[str, list[Compared]]) -> str:
    """Return the chart of all sets."""
    groups = [
        Group(one.name, [one.sides[side].median_ms for side in CHARTED])
        for results in sets.values()
        for one in results
    ]
    return bars("; ".join(sets), CHARTED, groups)


def differing(sets: dict[str, list[Compared]]) -> int:
    """Return how many answers of Millrace are not PostgreSQL's."""
    return sum(
        measured.verdict == "DIFFERS"
        for results in sets.values()
        for one in results
        for side, measured in one.sides.items()
        if side != "duckdb"
    )

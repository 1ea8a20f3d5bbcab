"""What many queries say together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.query.contest import Measured
from bench.query.figures import geometric_mean, median, quantile, ratios
from bench.query.table import milliseconds, times

COLUMNAR = ("columnar", "mixed")
LONG_MS = 100.0
POSTGRESQL = ("single", "parallel")


@dataclass(frozen=True)
class Compared:
    """A query's times by side, and the mode that the planner chooses when none is asked for."""

    name: str
    sides: dict[str, Measured]
    chosen: str

    @property
    def is_columnar(self) -> bool:
        """Tell whether it runs columnar, wholly or in part, when that is asked for."""
        return bool(self.sides["columnar"].milliseconds)

    @property
    def is_chosen(self) -> bool:
        """Tell whether it ran columnar, wholly or in part, when the planner chose."""
        plan = self.sides["auto"].plan
        return plan is not None and plan.mode in COLUMNAR

    def ratio(self, side: str, ours: float | None) -> float | None:
        """Return how many times as long a side takes; where it was ended, at least."""
        theirs = self.sides[side].at_least_ms
        return None if ours is None or theirs is None else theirs / ours

    @property
    def overhead(self) -> float | None:
        """Columnar over bare DuckDB, if that has the same answer."""
        bare = self.sides["duckdb"]
        ours = self.sides["columnar"].median_ms
        if ours is None or bare.median_ms is None or bare.verdict == "DIFFERS":
            return None
        return ours / bare.median_ms

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        sides = {name: measured.document() for name, measured in self.sides.items()}
        return {"name": self.name, "chosen": self.chosen, "sides": sides}


def summary(results: Sequence[Compared]) -> list[str]:
    """Return lines that say what came of the queries."""
    columnar = [one for one in results if one.is_columnar]
    modes = Counter(
        one.sides["columnar"].plan.mode for one in columnar if one.sides["columnar"].plan
    )
    ways = f"run columnar: {modes['columnar']}, mixed: {modes['mixed']}, of {len(results)}"
    chosen = _counted(Counter(one.chosen for one in results))
    lines = [
        f"{ways}; the planner chooses: {chosen}",
        *_faster(columnar, "columnar", "the queries that run columnar"),
        *_faster(columnar, "cold", "these, cold"),
        *_faster(columnar, "repeated", "these, repeated"),
        *_faster(results, "partitioned", "the queries that run partitioned"),
        *_faster(
            [one for one in results if one.is_chosen], "auto", "those that the planner runs so"
        ),
        *_faster(results, "auto", "all queries, as the planner runs them"),
        *_overheads(columnar),
        *_repeated(columnar),
        *_right(results),
    ]
    ended = [one.name for one in results if one.sides["single"].over_ms is not None]
    if ended:
        names = ", ".join(ended)
        lines.append(f"ended at the limit on single-threaded PostgreSQL, and so counted: {names}")
    return lines


def _faster(results: Sequence[Compared], side: str, of: str) -> list[str]:
    ours = [one.sides[side].median_ms for one in results]
    ran = sum(value is not None for value in ours)
    if not ran:
        return []
    found = [ratios([one.sides[name].at_least_ms for one in results], ours) for name in POSTGRESQL]
    means = " and ".join(
        f"{times(geometric_mean(one))} {name}" for one, name in zip(found, POSTGRESQL, strict=True)
    )
    return [f"geometric mean over {of} ({ran}): {means} PostgreSQL"]


def _overheads(results: Sequence[Compared]) -> list[str]:
    every = [one.overhead for one in results if one.overhead is not None]
    long = [
        one.overhead
        for one in results
        if one.overhead is not None and (one.sides["duckdb"].median_ms or 0) > LONG_MS
    ]
    lines = []
    for found, of in ((long, f"queries of more than {LONG_MS:.0f} ms there"), (every, "all")):
        if found:
            lines.append(
                f"overhead over bare DuckDB, {of} ({len(found)}): geometric mean "
                f"{times(geometric_mean(found))}, largest {times(max(found))}"
            )
    return lines


def _repeated(results: Sequence[Compared]) -> list[str]:
    every = [value for one in results for value in one.sides["repeated"].counted]
    medians = [one.sides["repeated"].median_ms for one in results]
    known = [value for value in medians if value is not None]
    if not known:
        return []
    quantiles = (
        f"p50 {milliseconds(median(every))} ms, p99 {milliseconds(quantile(every, 0.99))} ms"
    )
    slowest = f"the slowest query's p50 {milliseconds(max(known))} ms"
    runs = f"{len(every)} runs"
    return [f"repeated, unchanged, through the balancer: {quantiles} of {runs}; {slowest}"]


def _right(results: Sequence[Compared]) -> list[str]:
    ours: Counter[str] = Counter()
    for one in results:
        for side, measured in one.sides.items():
            if measured.verdict and side not in ("single", "duckdb"):
                ours[measured.verdict] += 1
    bare = Counter(one.sides["duckdb"].verdict for one in results if one.sides["duckdb"].verdict)
    theirs = f"bare DuckDB's, with a bound for floats: {_counted(bare)}"
    return [f"answers compared with single-threaded PostgreSQL's: {_counted(ours)}; {theirs}"]


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items())) or "none"


def problems(results: Sequence[Compared]) -> list[str]:
    """Return a line for each side that did not run a query, or ran it wrong."""
    lines = []
    for one in results:
        columnar = one.sides["columnar"].problem
        for side, measured in one.sides.items():
            if measured.verdict == "DIFFERS":
                lines.append(f"{one.name} {side}: the answer DIFFERS")
            if measured.problem and (side == "columnar" or measured.problem != columnar):
                lines.append(f"{one.name} {side}: {measured.problem}")
    return lines

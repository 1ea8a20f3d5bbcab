"""The demo table `numbers`: which way the planner chooses, and what an answer takes."""

from contextlib import closing
from typing import Any

from bench.query import tables
from bench.query.figures import median, quantile
from bench.query.partials import Partials
from bench.query.sides import MillraceSide, PostgresSide, Refused
from bench.query.stack import Stack
from bench.query.summary import COLUMNAR
from bench.query.table import brief, milliseconds, rendered
from cli.stack.demo import create_demo

QUERIES = {
    "groups": "SELECT grp, count(*), avg(v), max(n) FROM numbers GROUP BY grp ORDER BY grp",
    "sums": "SELECT grp, count(*), sum(amount), avg(amount), max(n) FROM numbers "
    "GROUP BY grp ORDER BY grp",
    "count": "SELECT count(*) FROM numbers",
    "filter": "SELECT count(*), sum(amount) FROM numbers WHERE n < 1000",
    "one row": "SELECT * FROM numbers WHERE id = 4711",
    "top": "SELECT id, amount FROM numbers WHERE amount IS NOT NULL ORDER BY amount DESC, id "
    "LIMIT 10",
}


def numbers(stack: Stack, repeats: int, limit_s: float) -> list[dict[str, Any]]:
    """Run and print all: each query so often as the planner chooses, and on PostgreSQL alone."""
    create_demo(stack.database_url, "public")
    tables.build(stack, ["numbers"])
    partials = Partials(stack.redis)
    found = []
    with (
        closing(PostgresSide("single", stack.database_url, 0, limit_s)) as postgres,
        closing(MillraceSide("auto", stack.port, "auto", (), limit_s)) as kept,
        closing(MillraceSide("fresh", stack.port, "auto", (), limit_s, partials.forget)) as fresh,
    ):
        for name, sql in QUERIES.items():
            taken: dict[str, list[float]] = {"kept": [], "fresh": [], "single": []}
            modes: set[str] = set()
            reason = ""
            for _ in range(20):  # until the planner knows what each way takes, and caches are full
                kept.run(sql)
            for label, side in (("kept", kept), ("fresh", fresh), ("single", postgres)):
                for _ in range(repeats):
                    one = side.run(sql)
                    taken[label].append(one.milliseconds)
                    if one.plan is not None:
                        modes.add(one.plan.mode)
                        reason = one.plan.reason
            forced, refusal = _forced(stack, sql, repeats, limit_s)
            found.append({
                "query": name, "modes": sorted(modes), "reason": reason, **taken,
                "columnar": forced, "refusal": refusal,
            })  # fmt: skip
    print(f"\nnumbers, 100,000 rows, through the balancer, {repeats} runs each; ms\n")
    print(_table(found))
    return found


def _forced(stack: Stack, sql: str, repeats: int, limit_s: float) -> tuple[list[float], str]:
    """Return what it takes over segments, partials kept, or why it does not run so."""
    with closing(MillraceSide("columnar", stack.port, "columnar", COLUMNAR, limit_s)) as side:
        try:
            side.run(sql)
            return [side.run(sql).milliseconds for _ in range(repeats)], ""
        except Refused as error:
            return [], str(error)


def _table(found: list[dict[str, Any]]) -> str:
    headings = ["query", "mode", "p50", "p99", "p50 without partials", "p99", "columnar p50",
                "PostgreSQL p50", "why"]  # fmt: skip
    rows = []
    for one in found:
        cells = [
            milliseconds(value)
            for label in ("kept", "fresh")
            for value in (median(one[label]), quantile(one[label], 0.99))
        ]
        cells += [milliseconds(median(one[side])) for side in ("columnar", "single")]
        why = brief(one["refusal"] or one["reason"], 100)
        rows.append([one["query"], ", ".join(one["modes"]), *cells, why])
    return rendered(headings, rows, left=2)

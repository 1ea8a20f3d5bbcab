"""What building segments costs: rows a second, memory, disk, and what others notice of it."""

import random
import threading
import time
from contextlib import closing
from typing import Any

from bench.query import tables
from bench.query.acceleration import remove
from bench.query.figures import quantile
from bench.query.sides import MillraceSide, Refused, TooLong
from bench.query.stack import Stack
from bench.query.table import milliseconds, rendered, times

# what others ask meanwhile: each kind is one of an application's, through the balancer
FOREGROUND = {
    "one order": "SELECT * FROM orders WHERE o_orderkey = {key}",
    "its lines": "SELECT count(*), sum(l_extendedprice) FROM lineitem "
    "WHERE l_orderkey BETWEEN {key} AND {key} + 400",
    "a customer": "SELECT c_name, count(*), sum(o_totalprice) FROM customer "
    "JOIN orders ON o_custkey = c_custkey WHERE c_custkey = {key} % 1000 + 1 GROUP BY c_name",
}


def build(stack: Stack, names: list[str], seconds: float, limit_s: float) -> dict[str, Any]:
    """Run and print all: foreground queries alone, then while all segments are built anew."""
    remove(stack, names)
    quiet, busy = (_Foreground(stack, limit_s) for _ in range(2))
    with quiet:
        time.sleep(seconds)
    with busy:
        built = tables.build(stack, names)
    print("\n" + _built_table(built["tables"]))
    print("\nforeground queries through the balancer, one after the other; ms\n")
    print(_foreground_table(quiet.taken, busy.taken))
    return {"built": built, "quiet": quiet.taken, "building": busy.taken}


class _Foreground:
    """Asks the foreground's questions, one after the other, until it is left."""

    def __init__(self, stack: Stack, limit_s: float) -> None:
        self.taken: dict[str, list[float]] = {kind: [] for kind in FOREGROUND}
        self._stack = stack
        self._limit_s = limit_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        chance = random.Random(7)  # the same questions each time
        with closing(MillraceSide("auto", self._stack.port, "auto", (), self._limit_s)) as side:
            while not self._over.is_set():
                for kind, sql in FOREGROUND.items():
                    try:
                        taken = side.run(sql.format(key=chance.randrange(1, 50_000)))
                    except (Refused, TooLong) as error:
                        print(f"{kind}: {error}")
                        continue
                    self.taken[kind].append(taken.milliseconds)


def _built_table(built: list[dict[str, Any]]) -> str:
    headings = ["table", "rows", "segments", "builders' s", "rows/s of a builder", "bytes a row",
                "heap", "heap / segments", ""]  # fmt: skip
    rows = []
    for one in built:
        count, seconds = max(1, one["rows"]), one["builders_seconds"]
        rows.append([
            one["table"], f"{one['rows']:,}", str(one["segments"]), f"{seconds:.1f}",
            f"{count / seconds:,.0f}", f"{one['bytes'] / count:.1f}",
            f"{one['heap_bytes'] / count:.1f}", times(one["heap_bytes"] / max(1, one["bytes"])), "",
        ])  # fmt: skip
    return rendered(headings, rows)


def _foreground_table(quiet: dict[str, list[float]], busy: dict[str, list[float]]) -> str:
    headings = ["query", "p50", "p99", "building: p50", "p99", "x p50", "x p99", ""]
    rows = []
    for kind, before in quiet.items():
        cells = [
            quantile(values, share) for values in (before, busy[kind]) for share in (0.5, 0.99)
        ]
        rows.append([
            kind, *(milliseconds(cell) for cell in cells), times(cells[2] / cells[0]),
            times(cells[3] / cells[1]), "",
        ])  # fmt: skip
    return rendered(headings, rows)

"""Writes on accelerated tables while queries run: how much stays clean, and what each side takes.

The same writes go to twins of the tables that are not accelerated, in turn, on one connection:
their times give the overhead.  Commits don't wait for the disk, so that what remains is
PostgreSQL's own work.
"""

import itertools
import multiprocessing
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from queue import Empty
from typing import Any

import psycopg

from bench.queries.side_by_side import read_queries
from bench.query.compare import TPCH
from bench.query.figures import geometric_mean, median, quantile
from bench.query.segments import CleanShare, clean_shares
from bench.query.sides import MillraceSide, PostgresSide, Refused, Side, TooLong
from bench.query.stack import Stack
from bench.query.table import milliseconds, rendered, times

WRITTEN = ("orders", "lineitem")
QUERIES = ("Q1", "Q3", "Q6", "Q12", "Q14")
_SPAWNING = multiprocessing.get_context("spawn")
_ORDER = """INSERT INTO {p}orders SELECT %(new)s, o_custkey, o_orderstatus, o_totalprice,
  o_orderdate, o_orderpriority, o_clerk, o_shippriority, o_comment FROM {p}orders
  WHERE o_orderkey = %(key)s"""
_LINES = """INSERT INTO {p}lineitem SELECT %(new)s, l_partkey, l_suppkey, l_linenumber, l_quantity,
  l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate,
  l_receiptdate, l_shipinstruct, l_shipmode, l_comment FROM {p}lineitem
  WHERE l_orderkey = %(key)s"""
KINDS = {
    # as TPC-H's refresh functions have it: an order and its lines come, an order and its lines go
    "insert": (_ORDER, _LINES),
    "delete": (
        "DELETE FROM {p}lineitem WHERE l_orderkey = %(key)s",
        "DELETE FROM {p}orders WHERE o_orderkey = %(key)s",
    ),
    "update": (
        "UPDATE {p}lineitem SET l_tax = l_tax WHERE l_orderkey = %(key)s",
        "UPDATE {p}orders SET o_totalprice = o_totalprice + 1 WHERE o_orderkey = %(key)s",
    ),
}


@dataclass(frozen=True)
class WriteOptions:
    """`rate`: transactions a second on the accelerated tables, and as many on their twins.

    `share`: the part of the key space, at its end, that updates and deletes go to; inserts are
    behind the greatest key.
    """

    rate: float
    seconds: float
    window_s: float
    share: float
    limit_s: float


@dataclass
class Window:
    """What happened in one stretch of time; `median_ms` by query and side."""

    began_s: float
    shares: list[CleanShare] = field(default_factory=list)
    taken: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    modes: set[str] = field(default_factory=set)

    def ratio(self, side: str, ours: str) -> float:
        """Return the geometric mean over queries of how many times as long `side` takes."""
        return geometric_mean(
            median(self.taken[query, side]) / median(self.taken[query, ours])
            for query in QUERIES
            if self.taken.get((query, side)) and self.taken.get((query, ours))
        )


def writes(stack: Stack, scale: float, options: WriteOptions) -> dict[str, Any]:
    """Run and print all: some windows without writes, then with."""
    _make_twins(stack)
    queries = {
        name: sql
        for name, sql in read_queries(TPCH, fraction=f"{0.0001 / scale:.10f}")
        if name in QUERIES
    }
    with ExitStack() as around:
        sides = _sides(stack, options.limit_s, around)
        for side in sides:  # once, so that caches are full
            for sql in queries.values():
                _try(side, sql)
        quiet = _watch(stack, queries, sides, options, options.window_s)
        with _writing(stack, options) as alone:
            time.sleep(options.window_s)
        with _writing(stack, options) as beside:
            busy = _watch(stack, queries, sides, options, options.seconds)
    report = {
        "options": options.__dict__,
        "quiet": [_window(one) for one in quiet],
        "busy": [_window(one) for one in busy],
        "writes": {"alone": alone, "beside queries": beside},
    }
    asked = ", ".join(QUERIES)
    print(f"\n{options.rate:g} transactions/s on orders and lineitem; medians over {asked}\n")
    print(_windows_table([("quiet", one) for one in quiet] + [("writes", one) for one in busy]))
    for label, written in (("alone", alone), ("beside queries", beside)):
        print(f"\ntransactions {label}, ms\n")
        print(_writes_table(written))
    return report


def _make_twins(stack: Stack) -> None:
    with stack.connect() as connection:
        # what is kept for later is to be loaded anew then
        connection.execute(b"COMMENT ON TABLE lineitem IS 'written to'")
        for name in WRITTEN:
            connection.execute(f"DROP TABLE IF EXISTS plain_{name}".encode())
            with connection.transaction():
                connection.execute(
                    f"CREATE TABLE plain_{name} (LIKE {name} INCLUDING DEFAULTS)".encode()
                )
                connection.execute(f"INSERT INTO plain_{name} SELECT * FROM {name}".encode())
            connection.execute(_indexes_of(connection, name).encode())
            connection.execute(f"VACUUM (ANALYZE) plain_{name}".encode())


def _indexes_of(connection: psycopg.Connection[Any], name: str) -> str:
    rows = connection.execute(
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass", [name]
    )
    texts = [str(text).partition(" USING ")[2] for (text,) in rows]
    return "; ".join(f"CREATE INDEX ON plain_{name} USING {text}" for text in texts)


def _sides(stack: Stack, limit_s: float, around: ExitStack) -> list[Side]:
    postgres = [
        around.enter_context(closing(PostgresSide(name, stack.database_url, most, limit_s)))
        for name, most in (("single", 0), ("parallel", None))
    ]
    auto = around.enter_context(closing(MillraceSide("auto", stack.port, "auto", (), limit_s)))
    return [*postgres, auto]


def _try(side: Side, sql: str) -> tuple[float, str] | None:
    try:
        taken = side.run(sql)
    except (Refused, TooLong):
        return None
    return taken.milliseconds, taken.plan.mode if taken.plan else ""


def _watch(
    stack: Stack,
    queries: dict[str, str],
    sides: Sequence[Side],
    options: WriteOptions,
    seconds: float,
) -> list[Window]:
    """Run the queries on all sides in turn for so long; shares are taken in each window's midst."""
    began = time.monotonic()
    windows = [Window(0.0)]
    over = threading.Event()
    sampler = threading.Thread(target=_sample, args=(stack, windows, over), daemon=True)
    sampler.start()
    try:
        for name, sql in itertools.cycle(queries.items()):
            now = time.monotonic() - began
            if now >= seconds:
                break
            if now - windows[-1].began_s >= options.window_s:
                windows.append(Window(now))
            for side in sides:
                taken = _try(side, sql)
                if taken is not None:
                    windows[-1].taken.setdefault((name, side.name), []).append(taken[0])
                    windows[-1].modes |= {taken[1]} - {""}
    finally:
        over.set()
        sampler.join()
    return windows


def _sample(stack: Stack, windows: list[Window], over: threading.Event) -> None:
    while not over.wait(1.0):
        windows[-1].shares += [one for one in clean_shares(stack) if one.table in WRITTEN]


@contextmanager
def _writing(stack: Stack, options: WriteOptions) -> Iterator[dict[str, Any]]:
    """Write in a process beside; what it took is there after the end."""
    results: multiprocessing.Queue[dict[str, Any]] = _SPAWNING.Queue()
    over = _SPAWNING.Event()
    process = _SPAWNING.Process(
        target=_write, args=(stack.database_url, options, results, over), daemon=True
    )
    process.start()
    written: dict[str, Any] = {}
    try:
        yield written
    finally:
        over.set()
        try:
            written.update(results.get(timeout=60))
        except Empty:
            print("The writer died.")
        process.join()


def _write(
    url: str, options: WriteOptions, results: "multiprocessing.Queue[dict[str, Any]]", over: Event
) -> None:
    chance = random.Random(7)  # the same writes each time
    taken: dict[str, dict[str, list[float]]] = {kind: {"": [], "plain_": []} for kind in KINDS}
    kinds = list(KINDS)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        row = connection.execute("SELECT max(o_orderkey) FROM orders").fetchone()
        last = int(row[0]) if row else 0
        first = round(last * (1 - options.share))
        began = time.monotonic()
        done = 0
        while not over.is_set():
            kind = kinds[done % len(kinds)]
            values = {
                "key": _order(connection, chance.randint(first, last)),
                "new": last + 1 + done,
            }
            # each kind begins with either table in turn: who comes first finds colder caches
            prefixes = ("", "plain_") if done // len(kinds) % 2 else ("plain_", "")
            for prefix in prefixes:
                taken[kind][prefix].append(_one(connection, kind, prefix, values))
            done += 1
            over.wait(max(0.0, began + done / options.rate - time.monotonic()))
        seconds = time.monotonic() - began
    results.put({"transactions": done, "seconds": seconds, "taken": taken})


def _order(connection: psycopg.Connection[Any], key: int) -> int:
    """Return the key of an order that is there: the next one from a key on."""
    row = connection.execute(
        "SELECT o_orderkey FROM orders WHERE o_orderkey >= %s ORDER BY o_orderkey LIMIT 1", [key]
    ).fetchone()
    return int(row[0]) if row else key


def _one(
    connection: psycopg.Connection[Any], kind: str, prefix: str, values: dict[str, int]
) -> float:
    began = time.perf_counter()
    with connection.transaction():
        for statement in KINDS[kind]:
            connection.execute(statement.format(p=prefix).encode(), values)
    return (time.perf_counter() - began) * 1000


def _window(window: Window) -> dict[str, Any]:
    return {
        "began_s": window.began_s,
        "modes": sorted(window.modes),
        "shares": [one.__dict__ for one in window.shares],
        "taken": {f"{query} {side}": values for (query, side), values in window.taken.items()},
    }


def _windows_table(windows: Sequence[tuple[str, Window]]) -> str:
    headings = ["", "from s", *(f"{name} clean" for name in WRITTEN), "dirty segments",
                "single ms", "Millrace ms", "x single", "x parallel", "modes"]  # fmt: skip
    rows = []
    for label, window in windows:
        every = {
            side: median(
                [one for (_, name), v in window.taken.items() if name == side for one in v]
            )
            for side in ("single", "auto")
        }
        rows.append([
            label, f"{window.began_s:.0f}", *(_clean(window, name) for name in WRITTEN),
            f"{max((one.dirty for one in window.shares), default=0)}",
            milliseconds(every["single"]), milliseconds(every["auto"]),
            times(window.ratio("single", "auto")), times(window.ratio("parallel", "auto")),
            ", ".join(sorted(window.modes)),
        ])  # fmt: skip
    return rendered(headings, rows)


def _clean(window: Window, name: str) -> str:
    shares = [one for one in window.shares if one.table == name]
    rows = sum(one.rows for one in shares)
    return f"{100 * sum(one.clean_rows for one in shares) / rows:.0f} %" if rows else "-"


def _writes_table(written: dict[str, Any]) -> str:
    headings = ["write", "times", "plain p50", "accelerated p50", "x", "plain p99",
                "accelerated p99", ""]  # fmt: skip
    rows = []
    for kind, by_prefix in written.get("taken", {}).items():
        plain, ours = by_prefix["plain_"], by_prefix[""]
        rows.append([
            kind, str(len(ours)), milliseconds(median(plain)), milliseconds(median(ours)),
            times(median(ours) / median(plain)), milliseconds(quantile(plain, 0.99)),
            milliseconds(quantile(ours, 0.99)), "",
        ])  # fmt: skip
    return rendered(headings, rows)

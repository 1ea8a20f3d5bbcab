"""`python -m bench.query`: what the columnar tier is worth, in one command.

    pip install tpchgen-cli
    python -m bench.query                       # TPC-H at scale 1, and a wide table
    python -m bench.query grow --to 7           # rows 10^5 … 10^7, workers 1 … 4
    python -m bench.query writes --rate 50      # under a load of writes
    python -m bench.query numbers               # the demo table
    python -m bench.query build                 # what building costs

It brings its own PostgreSQL and Valkey.  All figures of a run are of the same minutes on the same
machine; compare ratios, and no times of different runs.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir

from bench.query import build, compare, grow, numbers, results, tables, writes
from bench.query.contest import Patience
from bench.query.stack import Stack, StackOptions


def main() -> int:
    options = _parser().parse_args()
    millrace = {"MILLRACE_SEGMENTS_REFRESH_AGE_S": str(options.refresh_age), **_pairs(options.set)}
    stack_options = StackOptions(
        options.folder.resolve(), apps=options.apps, workers=options.workers,
        limit_s=options.limit, keeps=options.keep, postgres=_pairs(options.postgres),
        millrace=millrace,
    )  # fmt: skip
    began = time.monotonic()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors; load average before the start: {load:.1f}", flush=True)
    with Stack(stack_options) as stack:
        outcome = MODES[options.mode](stack, options)
    print(
        f"took {time.monotonic() - began:.0f} s; load average at the end {os.getloadavg()[0]:.1f}"
    )
    return outcome


def _compare(stack: Stack, options: argparse.Namespace) -> int:
    names = tables.load(stack, stack.options.folder, options.scale, options.hits)
    built = tables.build(stack, names)
    wanted = compare.CompareOptions(
        options.scale, options.hits, options.rounds, options.repeats, options.threads,
        Patience(options.budget, options.limit), options.only.split(",") if options.only else (),
    )  # fmt: skip
    sets = compare.compare(stack, wanted)
    document = {"about": results.about(stack), "built": built, "sets": compare.document(sets)}
    results.keep(options.results, "query", document, compare.chart(sets))
    return 1 if compare.differing(sets) else 0


def _grow(stack: Stack, options: argparse.Namespace) -> int:
    patience = Patience(options.budget, options.limit)
    wanted = grow.GrowOptions(
        options.first, options.to, options.most_workers, options.rounds, patience
    )
    points = grow.grow(stack, wanted)
    found = [point.document() for point in points]
    results.keep(options.results, "grow", {"about": results.about(stack), "points": found})
    wrong = [one for point in points for one in point.sides.values() if one.verdict == "DIFFERS"]
    return 1 if wrong else 0


def _writes(stack: Stack, options: argparse.Namespace) -> int:
    tables.build(stack, tables.load(stack, stack.options.folder, options.scale, 0))
    wanted = writes.WriteOptions(
        options.rate, options.seconds, options.window, options.share, options.limit
    )  # fmt: skip
    found = writes.writes(stack, options.scale, wanted)
    results.keep(options.results, "writes", {"about": results.about(stack), **found})
    return 0


def _numbers(stack: Stack, options: argparse.Namespace) -> int:
    found = numbers.numbers(stack, options.repeats * 10, options.limit)
    results.keep(options.results, "numbers", {"about": results.about(stack), "queries": found})
    return 0


def _build(stack: Stack, options: argparse.Namespace) -> int:
    names = tables.load(stack, stack.options.folder, options.scale, options.hits)
    found = build.build(stack, names, options.window, options.limit)
    results.keep(options.results, "build", {"about": results.about(stack), **found})
    return 0


MODES = {
    "compare": _compare, "grow": _grow, "writes": _writes, "numbers": _numbers, "build": _build,
}  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.query", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("mode", nargs="?", choices=sorted(MODES), default="compare")
    parser.add_argument(
        "--folder", type=Path, default=Path(gettempdir()) / "millrace-bench-query",
        help="for Parquet files, which stay, and servers, which do with --keep",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="keep tables and segments for later")
    parser.add_argument("--results", type=Path, default=results.DEFAULT)
    parser.add_argument("--scale", type=float, default=1.0, help="TPC-H's scale factor; 0: none")
    parser.add_argument("--hits", type=int, default=500_000, help="rows of the wide table; 0: none")
    parser.add_argument("--rounds", type=int, default=5, help="runs of a query on each side")
    parser.add_argument("--repeats", type=int, default=20, help="runs with partials kept")
    parser.add_argument("--budget", type=float, default=3.0, help="seconds of a side for a query")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that a query may take")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of bare DuckDB")
    parser.add_argument("--from", dest="first", type=int, default=5, help="grow: 10^N rows first")
    parser.add_argument("--to", type=int, default=7, help="grow: 10^N rows last")
    parser.add_argument("--most-workers", type=int, default=4, help="grow: from one to so many")
    parser.add_argument("--rate", type=float, default=20.0, help="writes: transactions a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="writes: how long")
    parser.add_argument("--window", type=float, default=10.0, help="writes, build: seconds a line")
    parser.add_argument(
        "--share", type=float, default=0.05,
        help="writes: the part of the keys, the latest ones, that updates and deletes go to",
    )  # fmt: skip
    parser.add_argument(
        "--refresh-age", type=float, default=10.0,
        help="seconds until a dirty segment is built anew",
    )  # fmt: skip
    parser.add_argument("--only", default="", help="these queries: Q1,Q6,H3")
    parser.add_argument("--apps", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--postgres", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--set", action="append", default=[], metavar="MILLRACE_NAME=VALUE")
    return parser


def _pairs(given: list[str]) -> Mapping[str, str]:
    return dict(pair.split("=", 1) for pair in given)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.oracle`: many generated queries, whole and split, against PostgreSQL."""

import argparse
import multiprocessing
import sys
import time
from functools import partial

from tests.oracle.job import run_job
from tests.oracle.runner import Tally


def main() -> int:
    """Run what the command line asks for; the exit status tells whether all were equal."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seeds", default="0-2000", metavar="FIRST-END", help="END is left out")
    parser.add_argument("--seed", type=int, action="append", help="only this one; repeatable")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with a server")
    parser.add_argument("--url", help="a server with a superuser to use, not the embedded one")
    parser.add_argument("--no-shrink", action="store_true")
    options = parser.parse_args()
    first, _, end = options.seeds.partition("-")
    seeds = options.seed or list(range(int(first), int(end)))
    run = partial(run_job, url=options.url, shrink=not options.no_shrink, show=bool(options.seed))
    began = time.monotonic()
    tally = Tally()
    if options.jobs == 1:
        tally = run((0, seeds))
    else:
        # not forked: psycopg's pool has threads, and a forked one would have none of them
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            shares = [(job, seeds[job :: options.jobs]) for job in range(options.jobs)]
            for part in pool.imap_unordered(run, shares):
                tally.merge(part)
    _print_summary(tally, time.monotonic() - began)
    return 1 if tally.mismatches else 0


def _print_summary(tally: Tally, elapsed_s: float) -> None:
    count = tally.queries["all"]
    print(f"\n{'feature':24} {'queries':>8} {'split':>8} {'share':>6}")
    for feature, queries in tally.queries.most_common():
        print(f"{feature:24} {queries:8} {tally.split[feature]:8} {tally.share(feature):6.0%}")
    raised = sum(
        1
        for verdict in tally.mismatches
        if verdict.ours.sqlstate is not None and verdict.theirs.sqlstate is None
    )
    print(
        f"\n{count} queries, {tally.split['all']} split ({tally.share('all'):.0%}), "
        f"{tally.failed} fail in PostgreSQL, {len(tally.mismatches)} mismatches, "
        f"{raised} errors that PostgreSQL does not raise, {count / elapsed_s:.0f} queries/s"
    )


if __name__ == "__main__":
    sys.exit(main())

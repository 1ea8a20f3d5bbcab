"""`python -m tests.oracle`: many generated queries, whole and split, against PostgreSQL."""

import argparse
import multiprocessing
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from tests.oracle.generator import GeneratedQuery
from tests.oracle.runner import Runner, Tally, Verdict
from tests.oracle.server import own_server
from tests.oracle.shrink import shrunk
from tests.oracle.world import world

SHRUNK_MOST = 20


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
    run = partial(_run, url=options.url, shrink=not options.no_shrink, show=bool(options.seed))
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


def _run(job: tuple[int, list[int]], *, url: str | None, shrink: bool, show: bool) -> Tally:
    number, seeds = job
    tally = Tally()
    with ExitStack() as stack:
        maintenance = url or stack.enter_context(own_server()).url("postgres")
        runner = Runner(stack.enter_context(world(maintenance, f"oracle_{number}")))
        for seed in seeds:
            verdict = runner.seed(seed)
            if verdict.difference is not None and shrink and len(tally.mismatches) < SHRUNK_MOST:
                verdict = _smaller(runner, verdict)
            tally.add(verdict)
            if verdict.difference is not None or show:
                print(verdict, flush=True)
    return tally


def _smaller(runner: Runner, verdict: Verdict) -> Verdict:
    """Shrink to a query that differs in the same way: rows, columns, errors or order."""
    kind = (verdict.difference or "").partition(":")[0]

    def fails(candidate: GeneratedQuery) -> bool:
        return (runner.query(candidate).difference or "").startswith(kind)

    smaller = shrunk(verdict.query, fails)
    again = runner.query(replace(smaller, features=verdict.query.features))
    return again if again.difference is not None else verdict


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

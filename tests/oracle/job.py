"""One process's share of the seeds.

Apart from the command: another process cannot import what a package runs as its main program.
"""

from contextlib import ExitStack
from dataclasses import replace

from tests.oracle.generator import GeneratedQuery
from tests.oracle.runner import Runner, Tally, Verdict
from tests.oracle.server import own_server
from tests.oracle.shrink import shrunk
from tests.oracle.world import world

SHRUNK_MOST = 8


def run_job(job: tuple[int, list[int]], *, url: str | None, shrink: bool, show: bool) -> Tally:
    """Run the seeds of a job with its number, print what differs, and return the counts.

    `url` None: on an embedded server of its own.
    """
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
    """Shrink to a query that differs in the same way: rows, columns, the same errors or order."""

    def way(found: Verdict) -> tuple[str, str | None, str | None]:
        kind = (found.difference or "").partition(":")[0]
        return kind, found.ours.sqlstate, found.theirs.sqlstate

    def fails(candidate: GeneratedQuery) -> bool:
        return way(runner.query(candidate)) == way(verdict)

    smaller = shrunk(verdict.query, fails)
    again = runner.query(replace(smaller, features=verdict.query.features))
    return again if again.difference is not None else verdict

"""What the ledger of jobs costs: accepting a job, claiming a task, ending it.

    python -m bench.jobs.ledger [--jobs 1000] [--tasks 2000] [--slots 4]

First one caller alone: so many jobs are accepted, and each has one task, its plan, that does
nothing.  Then one job of many empty tasks, run by one worker's slots.
"""

import argparse
import math
import time
from collections.abc import Mapping
from typing import Any

import structlog

from bench.jobs.stack import own_stack
from db.own import own_database
from db.settings import DatabaseSettings
from jobs.context import TaskContext
from jobs.kind import Done, Kind
from jobs.ledger import Ledger, worker_session
from jobs.record import NewJob, NewTask, TaskClaim
from jobs.service import Jobs
from jobs.settings import JobSettings
from tasks.bell import Bell
from tasks.client import connect
from tasks.consumer import worker_name
from tasks.settings import QueueSettings
from worker.wiring import bulk_runner


class Empty(Kind):
    """Tasks that do nothing, as many as the job wants."""

    name = "empty"

    def plan(self, parameters: Mapping[str, Any], _context: TaskContext) -> Done:
        """Add them."""
        return Done(adds=[NewTask("nothing")] * parameters["tasks"])

    def run(self, _task: TaskClaim, _context: TaskContext) -> Done:
        """Do nothing."""
        return Done(rows=1)


def show(name: str, times_s: list[float]) -> None:
    times_s = sorted(times_s)
    p50, p99 = (times_s[math.ceil(len(times_s) * share) - 1] * 1000 for share in (0.5, 0.99))
    print(f"{name:24}{p50:10.2f}{p99:10.2f}")


def one_caller(jobs: Jobs, ledger: Ledger, count: int) -> None:
    times: dict[str, list[float]] = {"accept": [], "claim": [], "done": [], "settle": []}

    def timed(name: str, began: float) -> float:
        now = time.perf_counter()
        times[name].append(now - began)
        return now

    for number in range(count):
        began = time.perf_counter()
        jobs.create(NewJob("empty", {"tasks": 0}, idempotency_key=f"key-{number}"))
        timed("accept", began)
    kind = Empty()
    for _ in range(count):
        began = time.perf_counter()
        claim = ledger.claim(["empty"], "bench")
        began = timed("claim", began)
        if claim is None:
            raise SystemExit("nothing to claim")
        ledger.done(claim, Done(), kind, 1)
        began = timed("done", began)
        ledger.settle(claim.job_id)
        timed("settle", began)
    print(f"{'one caller':24}{'p50 ms':>10}{'p99 ms':>10}")
    for name, seconds in times.items():
        show(name, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--slots", type=int, default=4)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    settings = JobSettings()
    with own_stack() as (database_url, redis_url):
        database_settings = DatabaseSettings(url=database_url, own_pool_size=arguments.slots + 4)
        queue = QueueSettings(url=redis_url)
        client = connect(queue, "bench")
        with own_database(
            database_settings, "bench", session=worker_session(settings.lease_s)
        ) as own:
            jobs = Jobs(own, Bell(client), settings)
            ledger = Ledger(own, lease_s=settings.lease_s, retention_s=settings.retention_s)
            one_caller(jobs, ledger, arguments.jobs)
            runner = bulk_runner(
                own, client, [Empty()], settings, name=worker_name(), slots=arguments.slots,
                block_s=queue.block_s,
            )  # fmt: skip
            runner.start()
            began = time.perf_counter()
            job_id, _ = jobs.create(NewJob("empty", {"tasks": arguments.tasks}))
            while (job := jobs.find(job_id)) is None or not job.is_finished:
                time.sleep(0.05)
            elapsed_s = time.perf_counter() - began
            runner.drain(1.0)
            print(f"{arguments.tasks / elapsed_s:.0f} empty tasks/s, {arguments.slots} slots")


if __name__ == "__main__":
    main()

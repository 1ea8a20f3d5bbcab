"""Ten thousand tasks while workers are killed: each effect must be there, and there once.

    python -m bench.jobs.kills [--tasks 10000] [--workers 4] [--every 1.0] [--seed 1]

Worker processes run the tasks of one job on servers of their own.  Every second, by default, one of
them, chosen by chance, gets SIGKILL, and another process is started in its place.  Each task leaves
one row, without anything that would refuse a second one.  In the end the rows are counted against
the tasks that were accepted: acknowledged, found, lost, unexpected, duplicated, recovered.
"""

import argparse
import multiprocessing
import random
import sys
import time
from multiprocessing.context import ForkServerProcess

from bench.jobs import counted
from bench.jobs.counted import SETTINGS, TABLE, Counted, account_of, show, work
from bench.jobs.stack import own_stack
from db.database import Database
from db.own import own_database
from db.settings import DatabaseSettings
from jobs.record import NewJob
from jobs.service import Jobs
from tasks.bell import Bell
from tasks.client import connect
from tasks.settings import QueueSettings

MEAN_S = 0.01  # of a task
ATTEMPTS = """SELECT count(*) FILTER (WHERE attempt > 1), max(attempt)
 FROM millrace.job_tasks WHERE number > 0"""


class Workers:
    """The workers, of which one after another is killed."""

    def __init__(
        self, count: int, arguments: tuple[str, str, int, int], chance: random.Random
    ) -> None:
        # from a process that has imported all, and has no threads or connections: else a worker
        # that lives for a few seconds would spend most of them on its start
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([counted.__name__])
        self._arguments = arguments
        self._chance = chance
        self.kills = 0
        self._running = [self._started() for _ in range(count)]

    def kill_one(self) -> None:
        """End a worker with no chance to tidy up, and start another one."""
        place = self._chance.randrange(len(self._running))
        victim = self._running[place]
        victim.kill()
        victim.join()
        self.kills += 1
        self._running[place] = self._started()

    def stop(self) -> None:
        """End them all in order."""
        for worker in self._running:
            worker.terminate()
        for worker in self._running:
            worker.join()

    def _started(self) -> ForkServerProcess:
        process = self._context.Process(target=work, args=self._arguments)
        process.start()
        return process


def measure(own: Database, jobs: Jobs, workers: Workers, tasks: int, every_s: float) -> bool:
    """Run the job among kills, print what became of it, and tell whether it is as promised."""
    began = time.monotonic()
    job_id, _ = jobs.create(NewJob(Counted.name, {"tasks": tasks, "mean_s": MEAN_S}))
    while (job := jobs.find(job_id)) is None or not job.is_finished:
        time.sleep(every_s)
        workers.kill_one()
    took_s = time.monotonic() - began
    with own.connection() as connection:
        again, most = connection.execute(ATTEMPTS).fetchone() or ("0", "0")
    print(
        f"job {job.state} after {took_s:.1f} s, {workers.kills} kills, {tasks / took_s:.0f} tasks/s"
    )
    print(f"tasks tried more than once: {again}, most tries of one: {most}")
    account = account_of(own, tasks)
    show(account)
    return account.is_clean and account.ok.total() == tasks and job.state == "done"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between kills")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with (
        own_stack() as (database_url, redis_url),
        own_database(DatabaseSettings(url=database_url), "bench") as own,
    ):
        with own.connection() as connection:
            connection.execute(TABLE)
        bell = Bell(connect(QueueSettings(url=redis_url), "bench"))
        arguments = (database_url, redis_url, options.slots, 0)
        workers = Workers(options.workers, arguments, random.Random(options.seed))
        try:
            jobs = Jobs(own, bell, SETTINGS)
            promised = measure(own, jobs, workers, options.tasks, options.every)
        finally:
            workers.stop()
    if not promised:
        sys.exit("effects are missing, or happened twice")


if __name__ == "__main__":
    main()

"""A thousand tasks of which some fail for a while and some until their cause is removed.

    python -m bench.jobs.failures [--tasks 1000] [--workers 2] [--slots 2]

One in ten fails on its first one to three attempts, one in a hundred each time, until the service
that it needs is back.  Worker processes run them on servers of their own.  Shown are the attempts,
the pauses between them beside what the policy allows, the dead letters by cause, and what a replay
makes of them once the service is back.  Each task leaves a row, so that effects can be counted.
"""

import argparse
import multiprocessing
import random
import signal
import time
from collections.abc import Mapping
from typing import Any

import structlog

from bench.jobs.stack import own_stack
from db.database import Database
from db.own import own_database
from db.pool import Connection
from db.settings import DatabaseSettings
from jobs.context import TaskContext
from jobs.dead_letters import DeadLetterFilter
from jobs.errors import PermanentFailure
from jobs.kind import Done, Kind
from jobs.ledger import worker_session
from jobs.record import Job, NewJob, NewTask, TaskClaim
from jobs.retry import RetryPolicy
from jobs.service import Jobs
from jobs.settings import JobSettings
from tasks.bell import Bell
from tasks.client import connect
from tasks.consumer import worker_name
from tasks.settings import QueueSettings
from worker.wiring import bulk_runner

TABLES = """CREATE TABLE public.effects (number int);
    CREATE TABLE public.service_is_away ();
    INSERT INTO public.service_is_away DEFAULT VALUES"""

# of each failed attempt: which it was, and how long the next one was put off
PAUSES = """SELECT (failure ->> 'attempt')::int, count(*),
       min(pause), avg(pause), max(pause)
  FROM millrace.job_tasks, jsonb_array_elements(failures) AS failure,
       LATERAL (SELECT extract(epoch FROM (failure ->> 'due_at')::timestamptz
                                          - (failure ->> 'at')::timestamptz) AS pause) AS p
 WHERE failure ->> 'due_at' IS NOT NULL GROUP BY 1 ORDER BY 1"""
ATTEMPTS = """SELECT attempt, count(*) FROM millrace.job_tasks WHERE state = 'done' AND number > 0
 GROUP BY attempt ORDER BY attempt"""
EFFECTS = "SELECT count(*), count(DISTINCT number) FROM public.effects"


class Flaky(Kind):
    """Tasks that fail as their parameters say."""

    name = "flaky"
    retry = RetryPolicy(base_s=0.5, factor=2.0, cap_s=10.0, attempts=5)
    tolerates_dead_letters = True

    def __init__(self, own: Database) -> None:
        """Keep the database that tells whether the service is back."""
        self._own = own

    def plan(self, parameters: Mapping[str, Any], _context: TaskContext) -> Done:
        """Add the tasks as given."""
        return Done(adds=[NewTask("work", task) for task in parameters["tasks"]])

    def run(self, task: TaskClaim, _context: TaskContext) -> Done:
        """Fail, or leave a row."""
        if task.attempt <= task.parameters.get("transient", 0):
            raise ConnectionResetError(f"the connection of task {task.number} was reset")
        if "permanent" in task.parameters:
            with self._own.connection() as connection:
                if connection.execute("SELECT FROM public.service_is_away").fetchone() is not None:
                    raise PermanentFailure(f"no mill grinds row {task.number}", "ServiceAway")

        def effects(connection: Connection) -> None:
            connection.execute("INSERT INTO public.effects VALUES ($1::int)", [str(task.number)])

        return Done(effects, rows=1)


def work(database_url: str, redis_url: str, slots: int) -> None:
    """Be one worker until SIGTERM."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    settings = JobSettings()
    queue = QueueSettings(url=redis_url)
    database_settings = DatabaseSettings(url=database_url, own_pool_size=2 * slots + 3)
    session = worker_session(settings.lease_s)
    with own_database(database_settings, "bench", session=session) as own:
        runner = bulk_runner(
            own, connect(queue, "bench"), [Flaky(own)], settings, name=worker_name(), slots=slots,
            block_s=queue.block_s,
        )  # fmt: skip
        runner.start()
        signal.sigwait({signal.SIGTERM})
        runner.drain(5.0)


def tasks_of(count: int) -> list[dict[str, Any]]:
    """Return parameters of the tasks, always the same."""
    chance = random.Random(1)
    kinds: list[dict[str, Any]] = [{"permanent": True} for _ in range(count // 100)]
    kinds += [{"transient": chance.randint(1, 3)} for _ in range(count // 10)]
    kinds += [{} for _ in range(count - len(kinds))]
    chance.shuffle(kinds)
    return kinds


def finished(jobs: Jobs, job_id: str) -> Job:
    """Wait for the job's end."""
    while (job := jobs.find(job_id)) is None or not job.is_finished:
        time.sleep(0.05)
    return job


def show(own: Database) -> None:
    """Print attempts and pauses."""
    with own.connection() as connection:
        print("attempts of tasks that are done:")
        for attempt, count in connection.execute(ATTEMPTS).fetchall():
            print(f"  {attempt}: {count} tasks")
        print(f"pauses in s   {'number':>8}{'least':>8}{'mean':>8}{'most':>8}{'ceiling':>9}")
        for attempt, count, *values in connection.execute(PAUSES).fetchall():
            least, mean, most = (float(value or 0) for value in values)
            ceiling = Flaky.retry.ceiling_s(int(attempt or 0))
            numbers = f"{count:>8}{least:8.3f}{mean:8.3f}{most:8.3f}{ceiling:9.1f}"
            print(f"  after no. {attempt} {numbers}")


def measure(own: Database, jobs: Jobs, tasks: list[dict[str, Any]]) -> None:
    """Run the job, show what became of it, remove the cause, and replay."""
    with own.connection() as connection:
        connection.execute(TABLES, prepare=False)
    began = time.perf_counter()
    job_id, _ = jobs.create(NewJob("flaky", {"tasks": tasks}))
    job = finished(jobs, job_id)
    print(
        f"after {time.perf_counter() - began:.1f} s: job {job.state}, {job.progress.rows} of "
        f"{len(tasks)} tasks done in {job.progress.attempts} attempts, "
        f"{job.progress.tasks.get('dead', 0)} dead letters"
    )
    show(own)
    chosen = DeadLetterFilter(job_id=job_id)
    for cluster in jobs.dead_letters.clusters(chosen):
        print(f"dead letters: {cluster.count} of '{cluster.cause}', such as '{cluster.example}'")
    with own.connection() as connection:
        connection.execute("DELETE FROM public.service_is_away")
    print(f"the service is back: {jobs.replay(chosen)} replayed")
    job = finished(jobs, job_id)
    share = job.progress.rows / len(tasks)
    print(f"in the end: job {job.state}, tasks {dict(job.progress.tasks)}, {share:.2%} succeeded")
    with own.connection() as connection:
        all_effects, different = connection.execute(EFFECTS).fetchone() or ("0", "0")
    print(f"effects: {all_effects}, of {different} different tasks")
    if (all_effects, different) != (str(len(tasks)), str(len(tasks))):
        raise SystemExit("effects are missing, or happened twice")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=2)
    arguments = parser.parse_args()
    tasks = tasks_of(arguments.tasks)
    transient = sum("transient" in task for task in tasks)
    permanent = sum("permanent" in task for task in tasks)
    print(
        f"{len(tasks)} tasks, {transient} fail for a while, {permanent} for good; "
        f"{arguments.workers} workers of {arguments.slots} slots"
    )
    spawning = multiprocessing.get_context("spawn")
    with own_stack() as (database_url, redis_url):
        workers = [
            spawning.Process(target=work, args=(database_url, redis_url, arguments.slots))
            for _ in range(arguments.workers)
        ]
        for worker in workers:
            worker.start()
        try:
            with own_database(DatabaseSettings(url=database_url), "bench") as own:
                bell = Bell(connect(QueueSettings(url=redis_url), "bench"))
                measure(own, Jobs(own, bell, JobSettings()), tasks)
        finally:
            for worker in workers:
                worker.terminate()
                worker.join()


if __name__ == "__main__":
    main()

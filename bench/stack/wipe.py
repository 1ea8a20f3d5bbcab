"""FLUSHALL while tasks and queries are in flight: all effects once, all answers right.

    python -m bench.stack.wipe [--tasks 50] [--queries 50] [--seconds 6.0]

Starts servers of its own, and two workers with room for all tasks at once.  When all tasks of a job
run, and all queries have been sent, each in parts, Redis is wiped.  Shown are what became of each
task's one row, and the answers beside those that PostgreSQL gives to the same queries.
"""

import argparse
import multiprocessing
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import redis
import structlog
from prometheus_client import CollectorRegistry

from app.queries.catalog_reader import CatalogReader
from app.queries.metrics import QueryMetrics
from app.queries.request import Answer, QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from bench.jobs import counted
from bench.jobs.counted import SETTINGS, TABLE, Counted, account_of, show, work
from bench.jobs.stack import own_stack
from db.database import Database
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from jobs.record import Job, NewJob
from jobs.service import Jobs
from query.statement import Parser
from tasks.bell import Bell
from tasks.client import connect
from tasks.dispatcher import Dispatcher
from tasks.lanes import QUERY, lane_status
from tasks.settings import QueueSettings

WORKERS = 2
QUERY_SLOTS = 2
FRAGMENTS = 4
ROWS = 1_000_000
TIMEOUT_S = 300.0
FACTS = f"""CREATE TABLE public.facts AS
    SELECT n, n % 97 AS grp, (n::bigint * 7919 % 10007) / 8.0 AS v
    FROM generate_series(1, {ROWS}) AS n;
    GRANT SELECT ON public.facts TO PUBLIC; ANALYZE public.facts"""
LEASED = "SELECT count(*) FROM millrace.job_tasks WHERE state = 'leased' AND number > 0"


def sql_of(number: int) -> str:
    """Return one of the queries: each has another answer."""
    return (
        "SELECT grp, count(*), sum(v)::text, max(n) FROM facts "
        f"WHERE n % 101 <> {number} AND sqrt(n) + ln(n) > 0 GROUP BY grp ORDER BY grp"
    )


def services(redis_url: str, reader: Database) -> tuple[QueryService, redis.Redis]:
    """Return a replica's query service, and the client of its queue."""
    client = connect(QueueSettings(url=redis_url), "bench")
    service = QueryService(
        reader,
        Dispatcher(client, QueueSettings(url=redis_url)),
        parser=Parser(cache_size=100, max_length=100_000, max_depth=60),
        catalog=CatalogReader("public"),
        settings=QuerySettings(query_timeout_s=TIMEOUT_S),
        metrics=QueryMetrics(CollectorRegistry()),
    )
    return service, client


def until(condition: str, holds: object, connection: psycopg.Connection[tuple[int]]) -> None:
    """Wait until a query's one value is that."""
    end = time.monotonic() + TIMEOUT_S
    while (row := connection.execute(condition.encode()).fetchone()) != (holds,):
        if time.monotonic() > end:
            sys.exit(f"never {holds}: {condition} gives {row}")
        time.sleep(0.05)


class Wipe:
    """One stack, to be wiped."""

    def __init__(self, url: str, service: QueryService, client: redis.Redis, jobs: Jobs) -> None:
        self._url = url
        self._service = service
        self._client = client
        self._jobs = jobs

    def run(self, tasks: int, queries: int, seconds: float) -> tuple[Job, list[Answer | str], str]:
        """Return the job, the answers or what went wrong with them, and what was in flight."""
        begun = threading.Barrier(queries + 1)

        def ask(number: int) -> Answer | str:
            begun.wait()
            query = QueryInput(sql_of(number), (), TIMEOUT_S, 1000, "auto", FRAGMENTS)
            try:
                return self._service.run(query)
            except Exception as error:  # noqa: BLE001 - each is a finding
                return f"{type(error).__name__}: {error}"

        with (
            psycopg.connect(self._url, autocommit=True) as watching,
            ThreadPoolExecutor(queries) as pool,
        ):
            asked: list[Future[Answer | str]] = [pool.submit(ask, n) for n in range(queries)]
            parameters = {"tasks": tasks, "mean_s": seconds}
            job_id, _ = self._jobs.create(NewJob(Counted.name, parameters))
            until(LEASED, tasks, watching)
            begun.wait()
            while lane_status(self._client, QUERY).length < queries and not asked[0].done():
                time.sleep(0.01)
            (leased,) = watching.execute(LEASED).fetchone() or (0,)
            open_queries = sum(not future.done() for future in asked)
            fragments = lane_status(self._client, QUERY).length
            self._client.flushall()
            in_flight = f"{leased} tasks, {open_queries} queries with {fragments} fragments"
            answers = [future.result() for future in asked]
            while (job := self._jobs.find(job_id)) is None or not job.is_finished:
                time.sleep(0.05)
        return job, answers, in_flight


def right(url: str, answers: list[Answer | str]) -> int:
    """Return how many answers are PostgreSQL's; print the others."""
    equal = 0
    with psycopg.connect(url) as connection:
        for number, answer in enumerate(answers):
            cursor = psycopg.RawCursor(connection)
            rows = cursor.execute(sql_of(number).encode()).fetchall()
            told = [tuple(map(str, row)) for row in rows]
            if isinstance(answer, str):
                print(f"query {number}: {answer}")
            elif [tuple(row) for row in answer.rows] != told:
                print(f"query {number}: another answer than PostgreSQL's")
            else:
                equal += 1
    return equal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=6.0, help="that a task takes")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([counted.__name__])
    with own_stack() as (url, redis_url):
        settings = DatabaseSettings(url=url, pool_size=options.queries)
        with (
            own_database(settings, "bench") as own,
            reader_database(settings, "bench") as reader,
        ):
            with own.connection() as connection:
                connection.execute(TABLE)
                connection.execute(FACTS, prepare=False)
            slots = -(-options.tasks // WORKERS)
            workers = [
                context.Process(target=work, args=(url, redis_url, slots, QUERY_SLOTS))
                for _ in range(WORKERS)
            ]
            for worker in workers:
                worker.start()
            try:
                service, client = services(redis_url, reader)
                jobs = Jobs(own, Bell(client), SETTINGS)
                began = time.monotonic()
                run = Wipe(url, service, client, jobs)
                job, answers, in_flight = run.run(options.tasks, options.queries, options.seconds)
                print(f"wiped with {in_flight} in flight")
                print(f"job {job.state}, {time.monotonic() - began:.1f} s in all")
            finally:
                for worker in workers:
                    worker.terminate()
                for worker in workers:
                    worker.join()
            account = account_of(own, options.tasks)
            show(account)
            equal = right(url, answers)
    modes = [answer.mode for answer in answers if isinstance(answer, Answer)]
    counts = ", ".join(f"{modes.count(mode)} {mode}" for mode in sorted(set(modes)))
    print(f"queries: {len(answers)}, right: {equal} ({counts})")
    if not (account.is_clean and account.ok.total() == options.tasks and equal == len(answers)):
        sys.exit("effects or answers are not as promised")


if __name__ == "__main__":
    main()

"""A migrated database, both sides of the ledger on it, and workers in threads or processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import redis

from db.database import Database
from db.migrate import migrate
from db.own import own_database
from db.settings import DatabaseSettings
from jobs.dead_letters import DeadLetterFilter
from jobs.ledger import Ledger, worker_session
from jobs.record import Job, NewJob
from jobs.service import Jobs
from jobs.settings import JobSettings
from tasks.bell import Bell
from tasks.client import connect
from tasks.consumer import worker_name
from tasks.settings import QueueSettings
from tests.integration.jobs.programmed_kind import EFFECTS, Programmed, Tolerant
from worker.bulk_runner import BulkRunner
from worker.wiring import bulk_runner

# of workers in processes, which are killed and stopped
SHORT = {"lease_s": 1.0, "renew_s": 0.2, "reconcile_s": 0.1, "poll_s": 0.5}
# of all others: a busy machine may keep a worker from its leases for seconds, and none may lapse
PATIENT = SHORT | {"lease_s": 60.0}


def eventually(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def settings() -> JobSettings:
    return JobSettings(**PATIENT)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database_settings = DatabaseSettings(url=database_url, own_pool_size=12, breaker_slow_s=60.0)
    migrate(database_url, database_settings)
    with psycopg.connect(database_url) as connection:
        connection.execute(EFFECTS)
    with own_database(database_settings, "test", session=worker_session(60.0)) as database:
        yield database


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(QueueSettings(url=redis_url), "test") as client:
        yield client


@pytest.fixture
def ledger(database: Database, settings: JobSettings) -> Ledger:
    return Ledger(database, lease_s=settings.lease_s, retention_s=settings.retention_s)


class Office:
    """The service, and what a test wants to know beside it."""

    def __init__(self, database: Database, client: redis.Redis, settings: JobSettings) -> None:
        self.jobs = Jobs(database, Bell(client), settings)
        self.database = database
        self.everything = DeadLetterFilter()

    def create(self, *tasks: dict[str, Any], kind: str = "programmed", **options: Any) -> str:
        """Create a job of these tasks; return its id."""
        return self.jobs.create(NewJob(kind, {"tasks": list(tasks)}, **options))[0]

    def job(self, job_id: str) -> Job:
        job = self.jobs.find(job_id)
        assert job is not None
        return job

    def await_state(self, job_id: str, state: str) -> Job:
        eventually(lambda: self.job(job_id).state == state)
        return self.job(job_id)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return list(connection.execute(sql.encode()).fetchall())

    def effects(self, job_id: str) -> list[int]:
        """Numbers of the tasks whose effects happened, each as often as they did."""
        found = self.query(f"SELECT number FROM public.effects WHERE job_id = '{job_id}'")
        return sorted(int(number) for (number,) in found)


@pytest.fixture
def office(database: Database, client: redis.Redis, settings: JobSettings) -> Office:
    return Office(database, client, settings)


class Crew:
    """Starts workers and ends those that are left; notes what those in threads tell."""

    def __init__(self, database: Database, database_url: str, redis_url: str) -> None:
        self._database = database
        self._environment = {
            **os.environ,
            **{f"MILLRACE_JOBS_{name.upper()}": str(value) for name, value in SHORT.items()},
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "MILLRACE_QUEUE_BLOCK_S": "0.1",
        }
        self.events: list[tuple[str, dict[str, object]]] = []
        self.ends: list[str] = []
        self._runners: list[BulkRunner] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self.queue = QueueSettings(url=redis_url, block_s=0.1)

    def _note(self, name: str, cause: str, /, **facts: object) -> None:
        self.events.append((name, {"cause": cause, **facts}))

    def start(
        self, slots: int = 2, settings: JobSettings | None = None, redis_url: str | None = None
    ) -> BulkRunner:
        """Start a worker in threads."""
        url = redis_url or self.queue.url
        runner = bulk_runner(
            self._database,
            connect(QueueSettings(url=url), "test"),
            [Programmed(self._database), Tolerant(self._database)],
            settings or JobSettings(**PATIENT),
            name=worker_name(),
            slots=slots,
            block_s=self.queue.block_s,
            on_event=self._note,
            on_end=lambda outcome, _seconds: self.ends.append(outcome),
        )
        runner.start()
        self._runners.append(runner)
        return runner

    def start_process(self, slots: int = 2) -> subprocess.Popen[bytes]:
        """Start a worker in a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.jobs.programmed_kind", str(slots)],
            env=self._environment,
            stdout=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process

    def end(self) -> None:
        """End all."""
        for process in self._processes:
            process.kill()
            process.wait()
        for runner in self._runners:
            runner.drain(0.1)


@pytest.fixture
def crew(database: Database, database_url: str, redis_url: str) -> Iterator[Crew]:
    crew = Crew(database, database_url, redis_url)
    yield crew
    crew.end()

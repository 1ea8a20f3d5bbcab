"""A migrated database, the kinds on it, and a driver that runs a job through the real ledger."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import redis

from db.database import Database
from db.migrate import migrate
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from jobs.context import TaskContext
from jobs.kind import Kind
from jobs.ledger import POINT_QUERIES, Ledger
from jobs.output import Output, OutputRow
from jobs.record import NewJob, TaskClaim
from jobs.service import Jobs
from jobs.settings import JobSettings
from tasks.bell import Bell
from tasks.client import connect
from tasks.settings import QueueSettings
from worker.tables.checksum_table import ChecksumTable
from worker.tables.diff_tables import DiffTables
from worker.tables.opening import Tables
from worker.tables.sizes import Sizes

SMALL = Sizes(leaf=2, parts=3, task=7, first=4, most=16, page=3, sample=40)


@dataclass(frozen=True)
class Ran:
    """What a job has left behind."""

    summary: dict[str, Any]
    result: list[OutputRow]
    ranges: list[OutputRow]

    def found(self) -> set[tuple[str, tuple[str, ...]]]:
        """Return which side and key each difference has; each is told of once."""
        keys = [(side, tuple(key.values())) for side, key, *_ in self.result]
        assert len(keys) == len(set(keys))
        return set(keys)


class Bench:
    """Makes tables and runs jobs over them, task by task."""

    def __init__(
        self, url: str, own: Database, reader: Database, client: redis.Redis, connections: int
    ) -> None:
        self.own = own
        self.reader = reader
        self.ledger = Ledger(own, lease_s=10.0, retention_s=100.0)
        self.jobs = Jobs(own, Bell(client), JobSettings())
        self.output = Output(own)
        self.connection = psycopg.connect(url, autocommit=True)
        tables = Tables(reader, {"other": reader}, connections, 1000)
        self.kinds: Mapping[str, Kind] = {
            "checksum_table": ChecksumTable(tables, SMALL),
            "diff_tables": DiffTables(own, tables, SMALL),
        }

    def sql(self, *statements: str) -> None:
        """Run statements as the owner."""
        for statement in statements:
            self.connection.execute(statement.encode())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the owner's."""
        return self.connection.execute(sql.encode()).fetchall()

    def tables(self, *names: str) -> None:
        """Let the reader read tables, and have their sizes known."""
        for name in names:
            self.sql(f"GRANT SELECT ON {name} TO millrace_reader", f"ANALYZE {name}")

    def checksum(self, table: str | None = None, **parameters: Any) -> Ran:
        """Run checksum_table."""
        given = {"table": table, "query": None, "key": None, "columns": None}
        return self.run("checksum_table", {**given, **parameters})

    def diff(
        self, databases: tuple[str | None, str | None] = (None, None), **parameters: Any
    ) -> Ran:
        """Run diff_tables over the tables l and r."""
        left, right = (
            {"table": name, "database": database}
            for name, database in zip(("l", "r"), databases, strict=True)
        )
        given = {"left": left, "right": right, "key": None, "columns": None}
        return self.run("diff_tables", {"limit": 1000, **given, **parameters})

    def run(self, kind: str, parameters: Mapping[str, Any]) -> Ran:
        """Run a job to its end."""
        job_id = self.create(kind, parameters)
        while self.step() is not None:
            pass
        return self.ran(job_id)

    def create(self, kind: str, parameters: Mapping[str, Any]) -> str:
        """Create a job."""
        with self.own.connection() as connection, connection.transaction():
            job = NewJob(kind, {"algorithm": "lookup3-128", **parameters})
            return self.jobs.create_in(connection, job)[0]

    def claim(self) -> TaskClaim | None:
        """Take the next task."""
        return self.ledger.claim(self.kinds, "test")

    def step(self) -> TaskClaim | None:
        """Run the next task, if there is one."""
        claim = self.claim()
        if claim is not None:
            kind = self.kinds[claim.kind]
            self.ledger.done(claim, kind.perform(claim, TaskContext()), kind, 5)
            self.ledger.settle(claim.job_id)
        return claim

    def ran(self, job_id: str) -> Ran:
        """Return what a job that is done has left."""
        job = self.jobs.find(job_id)
        assert job is not None
        assert job.state == "done"
        sql = f"""SELECT result FROM millrace.job_tasks WHERE job_id = '{job_id}' AND is_last"""
        ((summary,),) = self.rows(sql)
        streams = [self._stream(job_id, stream) for stream in ("result", "ranges")]
        return Ran(json.loads(summary), *streams)

    def _stream(self, job_id: str, stream: str) -> list[OutputRow]:
        return [row for piece in self.output.pieces(job_id, stream) for row in piece.rows]


@pytest.fixture(params=[1, 2], ids=["one connection", "two connections"])
def connections(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def bench(database_url: str, redis_url: str, connections: int) -> Iterator[Bench]:
    settings = DatabaseSettings(url=database_url, pool_size=4, statement_timeout_s=0.0)
    migrate(database_url, settings)
    with (
        own_database(settings, "test", session=POINT_QUERIES) as own,
        reader_database(settings, "worker-bulk") as reader,
        connect(QueueSettings(url=redis_url), "test") as client,
    ):
        bench = Bench(database_url, own, reader, client, connections)
        yield bench
        bench.connection.close()

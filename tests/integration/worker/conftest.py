"""A migrated database with a table, and the reader's pool on it, as a worker has it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from db.database import Database
from db.migrate import migrate
from db.reader import reader_database
from db.settings import DatabaseSettings
from query.fragment import Fragment
from tasks.lease import Lease
from tasks.message import Task


@pytest.fixture
def settings(database_url: str) -> DatabaseSettings:
    settings = DatabaseSettings(url=database_url, pool_size=2)
    migrate(database_url, settings)
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE t (n int, round boolean, amount numeric(12,2))")
        connection.execute(
            "INSERT INTO t SELECT n, n % 10 = 0, CASE WHEN n % 3 > 0 THEN n / 4.0 END "
            "FROM generate_series(1, 20000) AS n"
        )
        connection.execute("GRANT SELECT ON t TO millrace_reader")
    return settings


@pytest.fixture
def database(settings: DatabaseSettings) -> Iterator[Database]:
    with reader_database(settings, "worker") as database:
        yield database


@pytest.fixture
def snapshot(database_url: str) -> Iterator[str]:
    """An exported snapshot; it stays importable during the test."""
    with exported_snapshot(database_url) as snapshot:
        yield snapshot


@contextmanager
def exported_snapshot(url: str) -> Iterator[str]:
    """Export a snapshot and keep its transaction open."""
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield row[0]


def fragment(
    sql: str, snapshot: str, *params: str | None, max_rows: int = 50_000, max_bytes: int = 10**7
) -> Fragment:
    return Fragment(0, sql, params, snapshot, max_rows, max_bytes)


def lease_of(fragment: Fragment, timeout_s: float = 20.0) -> Lease:
    """Return the lease of a task as just taken from the queue."""
    task = Task("1-0", 0, int(timeout_s * 1000), "reply", fragment.encode())
    return Lease(task, deliveries=1, age_s=0.0)


def sleeping(url: str) -> int:
    """Return how many sessions of a database are in pg_sleep."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
            "AND datname = current_database()"
        ).fetchone()
    return row[0] if row else 0


def worker_environment(database_url: str, redis_url: str) -> dict[str, str]:
    """Return the environment of a worker's process."""
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MILLRACE_QUEUE_BLOCK_S": "0.1",
    }

"""A table of a thousand rows, tracked in four buckets of which each has a segment."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from db.database import Database
from db.own import own_database
from db.pool import Connection
from db.reader import reader_database
from db.tracking.buckets import Bucket, Cut
from db.tracking.clean_check import TableState, begin_checked
from db.tracking.installation import Installation
from db.tracking.segments import Contents, publish, register
from db.tracking.tracked_table import TrackedTable, current_buckets
from tests.integration.tracking.fresh_database import database, empty

BOUNDS = (250, 500, 750)
_TABLE = """
CREATE TABLE items (id int PRIMARY KEY, label text COLLATE "C", amount numeric(12,2));
INSERT INTO items SELECT n, 'item ' || n, n FROM generate_series(1, 1000) AS n;
"""
_SNAPSHOT = """SELECT pg_current_snapshot()::text, relfilenode FROM pg_class
 WHERE oid = $1::oid"""


class World:
    """The database, and what tests do with it."""

    def __init__(self, url: str, own: Database, reader: Database) -> None:
        self.url = url
        self.own = own
        self.reader = reader
        self.installation = Installation()
        self.table: TrackedTable
        self.buckets: list[Bucket]
        self.segments: dict[int, int] = {}

    def session(self) -> psycopg.Connection[Any]:
        """A session of the owner's, in autocommit mode."""
        return psycopg.connect(self.url, autocommit=True)

    def run(self, *statements: str) -> None:
        """Run statements as the owner, each on its own."""
        with self.session() as session:
            for statement in statements:
                session.execute(statement.encode())

    def track(self, name: str = "items", schema: str = "public") -> None:
        """Track a table, and make a segment of each of its buckets."""
        cuts = [Cut(str(bound), bound) for bound in BOUNDS]
        with self.own.connection() as owner:
            self.table = self.installation.install(owner, schema, name, cuts)
            self.buckets = current_buckets(owner, self.table.id)
        self.segments = {place: self.copy(bucket) for place, bucket in enumerate(self.buckets)}

    def copy(self, bucket: Bucket) -> int:
        """Publish a segment of a bucket as of now; its file is of no interest here."""
        with self.own.connection() as owner:
            segment = register(owner, bucket, secrets.token_hex(8))
            with owner.transaction():
                owner.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                owner.execute("LOCK TABLE public.items IN ACCESS SHARE MODE")
                row = owner.execute(_SNAPSHOT, [str(self.table.oid)]).fetchone()
            assert row is not None
            assert publish(
                owner, segment, Contents(str(row[0]), int(str(row[1])), 1, 1, "00", {}, {})
            )
        return segment

    @contextmanager
    def reading(self, name: str | None = None) -> Iterator[tuple[Connection, TableState]]:
        """A reader's transaction on the table, and what the clean check says in it."""
        names = (self.table.schema, name or self.table.name)
        with self.reader.connection() as connection:
            states = begin_checked(connection, [(self.table.oid, *names)])
            yield connection, states[self.table.oid]

    def state(self) -> TableState:
        """What the clean check says now."""
        with self.reading() as (_, state):
            return state

    def problem(self) -> str | None:
        """What is wrong with the tracking, asked for without locking the table by its name."""
        with self.reader.connection() as connection:
            row = connection.execute(
                "SELECT problem FROM millrace_tracking.check_segments(ARRAY[$1::oid])",
                [str(self.table.oid)],
            ).fetchone()
        return None if row is None else row[0]

    def dirty(self) -> set[int]:
        """The places (0 to 3) of the buckets whose segments are dirty now."""
        state = self.state()
        assert state.problem is None
        assert state.clean | state.dirty == set(self.segments.values())
        return {place for place, segment in self.segments.items() if segment in state.dirty}


@pytest.fixture(scope="module")
def tracking_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL of the module's database."""
    with database(postgres, "tracking") as url:
        yield url


@pytest.fixture
def bare(tracking_url: str) -> Iterator[World]:
    """A migrated database with the table, not tracked yet."""
    settings = empty(tracking_url, _TABLE)
    with own_database(settings, "test") as own, reader_database(settings, "test") as reader:
        yield World(tracking_url, own, reader)


@pytest.fixture
def world(bare: World) -> World:
    """The table, tracked, with all segments clean."""
    bare.track()
    return bare


@pytest.fixture
def make_table(bare: World) -> Callable[[str], None]:
    """Make tables, given as statements."""
    return lambda statements: bare.run(*statements.split(";"))


@pytest.fixture
def role(tracking_url: str) -> Iterator[str]:
    """A role name that nobody else uses; the role is dropped after the test."""
    name = f"role_{secrets.token_hex(6)}"
    yield name
    with psycopg.connect(tracking_url, autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {name}".encode())


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds, for at most 30 s."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(0.01)

    return wait

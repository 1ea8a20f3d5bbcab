# ruff: noqa: E501 - SQL reads best on one line
"""A database of accelerated tables: the oracle's, and some with keys of other types."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from db.database import Database
from db.migrate import migrate
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from db.tracking.installation import Installation
from db.tracking.tracked_table import TrackedTable
from segments.acceleration import accelerate
from segments.settings import SegmentSettings
from tests.oracle import schema
from tests.oracle.world import ICU

NAME = "under_writes"
BUCKET_ROWS = 120
GROUP_ROWS = 40
# longer than any query here may take
GRACE_S = 15.0

_MORE = """
ALTER TABLE shrunk ADD PRIMARY KEY (id);
CREATE TABLE days (d date, id int, tx text COLLATE "C", num numeric(10,2), f8 double precision, PRIMARY KEY (d, id));
INSERT INTO days SELECT date '2024-01-01' + i % 60, i, 'd' || i % 9, i % 40 * 0.25, i % 4 FROM generate_series(1, 900) AS i;
CREATE TABLE moments (tz timestamptz PRIMARY KEY, id int, u uuid, b boolean, i8 bigint, raw bytea);
INSERT INTO moments SELECT timestamptz '2024-03-30 00:00+00' + i * interval '7 minutes', i, md5((i % 50)::text)::uuid, i % 3 = 0, i::bigint * 1000000007, decode(md5((i % 5)::text), 'hex')
  FROM generate_series(1, 800) AS i;
CREATE TABLE things (u uuid PRIMARY KEY, id int, tx text, ts timestamp, d date, num numeric(12,4));
INSERT INTO things SELECT md5(i::text)::uuid, i, 'g' || i % 12, timestamp '2024-01-01' + i * interval '1 hour', date '2024-01-01' + i % 70, i / 16.0 FROM generate_series(1, 700) AS i;
CREATE VIEW joined AS SELECT t.id, t.i4, t.tx, s.w AS num FROM t JOIN s ON s.t_id = t.id
"""
MORE_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "days": {"id": "int", "d": "date", "tx": "text", "num": "numeric"},
    "moments": {"id": "int", "tz": "timestamptz", "u": "uuid", "b": "bool", "i8": "int", "raw": "bytea"},
    "things": {"id": "int", "u": "uuid", "tx": "text", "ts": "timestamp", "d": "date", "num": "numeric"},
    "joined": {"id": "int", "i4": "int", "tx": "text", "num": "numeric"},
}  # fmt: skip
# those that are accelerated; tables of all sorts that are not stand beside them
ACCELERATED = (
    "t", "s", "skew", "nully", "empty", "one", "shrunk", "days", "moments", "things",
)  # fmt: skip
TABLES = (
    *["t"] * 10, *["skew"] * 4, *["days"] * 3, *["moments"] * 3, *["things"] * 3, *["nully"] * 2,
    *["shrunk"] * 2, *["s"] * 4, "empty", "one", "parted", "parent", "seen", "summed", "kept",
    "joined",
)  # fmt: skip


def pristine(table: str) -> str:
    """Return the name of the copy of a table as it was at first."""
    return f"{table}_at_first"


@dataclass(frozen=True)
class Stand:
    """How the database is reached, and where segments are.  Plain data: it goes to processes."""

    url: str
    folder: Path

    @property
    def settings(self) -> DatabaseSettings:
        """The database's settings."""
        return DatabaseSettings(url=self.url, pool_size=8, own_pool_size=8)

    @property
    def segments(self) -> SegmentSettings:
        """Small buckets, built anew at once."""
        return SegmentSettings(
            folder=self.folder, bucket_rows=BUCKET_ROWS, group_rows=GROUP_ROWS, refresh_age_s=0,
            grace_s=GRACE_S, read_mb=1,
        )  # fmt: skip

    @contextmanager
    def databases(self, program: str) -> Iterator[tuple[Database, Database]]:
        """Open the owner's pool and the reader's."""
        with (
            own_database(self.settings, program) as owner,
            reader_database(self.settings, program) as reader,
        ):
            yield owner, reader

    def accelerate(self) -> list[TrackedTable]:
        """Begin to track all tables that are to be."""
        with self.databases("stand") as (owner, reader):
            return [
                accelerate(owner, reader, Installation(), self.segments, ("public", table))
                for table in ACCELERATED
            ]


@contextmanager
def stand(maintenance_url: str, folder: Path, name: str = NAME) -> Iterator[Stand]:
    """Make a database on a server, and drop it in the end."""
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    made = Stand(make_conninfo(maintenance_url, dbname=name), folder)
    migrate(made.url, made.settings)
    with psycopg.connect(made.url, autocommit=True) as owner:
        icu = owner.execute(ICU).fetchone() != (0,)
        for statement in [*schema.statements(icu=icu), *_MORE.split(";\n")]:
            owner.execute(statement.encode())
        for table in ACCELERATED:
            owner.execute(f"CREATE TABLE {pristine(table)} AS TABLE {table}".encode())
        owner.execute(b"VACUUM ANALYZE")
    yield made
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def columns() -> Mapping[str, Mapping[str, str]]:
    """Return what the generator is to know of the tables."""
    return {**schema.COLUMNS, **MORE_COLUMNS}

"""A tracked table with a column of every type, and a builder of its segments."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from db.database import Database
from db.own import own_database
from db.reader import reader_database
from db.tracking.buckets import Cut
from db.tracking.clean_check import TableState, begin_checked
from db.tracking.installation import Installation
from db.tracking.segments import Segment, segments_of
from db.tracking.tracked_table import TrackedTable, current_buckets
from segments.builder import Builder
from segments.folder import SegmentFolder
from segments.settings import SegmentSettings
from tests.integration.tracking.fresh_database import database, empty
from worker.keeping.file_formats import file_format

_TABLE = """CREATE TABLE t (
    id int PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, s text,
    v varchar(20), d date, c char(7), ts timestamp, tz timestamptz, n numeric(12,4),
    wide numeric(38,10), u uuid, bytes bytea)"""


def rows_of(path: Path) -> list[dict[str, Any]]:
    """What a file of a segment holds."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    with duckdb.connect(path, read_only=True) as connection:
        found = connection.execute("SELECT * FROM data").fetchall()
        names = [column[0] for column in connection.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found]


class Stand:
    """The database, the table and the builder."""

    def __init__(self, url: str, owner: Database, reader: Database, folder: Path) -> None:
        self.url = url
        self.owner = owner
        self.reader = reader
        self.root = folder
        self.settings = SegmentSettings(folder=folder, read_mb=1, group_rows=1000)
        self.folder = SegmentFolder(folder, self.settings.max_mb * 1024**2)
        self.format = file_format("duckdb")
        self.builder = Builder(owner, reader, self.folder, self.settings, self.format)
        self.table: TrackedTable

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as session:
            for statement in statements:
                session.execute(statement.encode())

    def track(self, *bounds: int, name: str = "t") -> None:
        with self.owner.connection() as owner:
            cuts = [Cut(str(bound), bound) for bound in bounds]
            self.table = Installation().install(owner, "public", name, cuts)

    def build(self, place: int = 0) -> Segment:
        """Build the bucket at this place; return the segment."""
        with self.owner.connection() as owner:
            bucket = current_buckets(owner, self.table.id)[place]
        built = self.builder.build(self.table, bucket)
        assert built is not None
        return next(segment for segment in self.segments() if segment.id == built.segment)

    def segments(self) -> list[Segment]:
        with self.owner.connection() as owner:
            return segments_of(owner, self.table.id)

    def state(self) -> TableState:
        with self.reader.connection() as reader:
            table = self.table
            return begin_checked(reader, [(table.oid, table.schema, table.name)])[table.oid]

    def rows_of(self, segment: Segment) -> list[dict[str, Any]]:
        """What the file holds, verified."""
        path = self.folder.verified(segment.file_name, segment.byte_size or 0, segment.sha256 or "")
        return rows_of(path)

    def insert(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        with psycopg.connect(self.url) as session, session.cursor() as cursor:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(
                f"INSERT INTO t ({', '.join(columns)}) VALUES ({marks})".encode(), rows
            )


@pytest.fixture(scope="module")
def segments_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL of the module's database."""
    with database(postgres, "segments") as url:
        yield url


@pytest.fixture
def stand(segments_url: str, tmp_path: Path) -> Iterator[Stand]:
    """The table, empty, not tracked yet."""
    settings = empty(segments_url, _TABLE)
    with own_database(settings, "test") as owner, reader_database(settings, "test") as reader:
        yield Stand(segments_url, owner, reader, tmp_path / "segments")

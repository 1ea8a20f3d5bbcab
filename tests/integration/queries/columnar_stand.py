# ruff: noqa: E501 - SQL reads best on one line
"""All that answers queries over segments, but for processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from prometheus_client import CollectorRegistry

from app.queries.catalog_reader import CatalogReader
from app.queries.columnar.known_tables import KnownTables
from app.queries.columnar.partials import PartialCache
from app.queries.columnar.times import Times
from app.queries.columnar.tools import ColumnarTools
from app.queries.metrics import QueryMetrics
from app.queries.request import Answer, QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from columnar.engine import Bounds, ColumnarEngine
from db.database import Database
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from db.tracking.asked import TablesAsked
from db.tracking.installation import Installation
from db.tracking.segments import Segment, segments_of
from db.tracking.tracked_table import TrackedTable
from query.decision import Engine
from query.statement import Parser
from segments.acceleration import accelerate
from segments.folder import SegmentFolder
from segments.keeper import Keeper
from segments.settings import SegmentSettings
from tests.integration.queries.local import LocalDispatcher
from worker.columnar_runner import ColumnarRunner
from worker.keeping.file_formats import file_format

TABLES = """
CREATE TABLE sales (
    id bigint PRIMARY KEY, shop int NOT NULL, amount numeric(12,2), kind text COLLATE "C",
    day date, at timestamptz, note char(5), ratio float8, free numeric
);
INSERT INTO sales SELECT i, i % 7, CASE WHEN i % 11 = 0 THEN NULL ELSE (i % 1000) / 8.0 END,
    'k' || i % 5, date '2024-01-01' + i % 300, timestamptz '2024-01-01 00:00+00' + i * interval '1 minute',
    chr(65 + i % 3), i / 16.0, i
  FROM generate_series(1, 5000) i;
CREATE TABLE shops (id int PRIMARY KEY, name text);
INSERT INTO shops SELECT i, 'shop ' || i FROM generate_series(0, 6) i;
CREATE TABLE plain (id int PRIMARY KEY, n int);
INSERT INTO plain SELECT i, i FROM generate_series(1, 10) i;
CREATE VIEW big_sales AS SELECT kind, amount FROM sales WHERE amount > 50;
VACUUM ANALYZE;
"""


@dataclass
class Stand:
    """Everything but processes."""

    url: str
    own: Database
    reader: Database
    keeper: Keeper
    folder: Path
    service: QueryService
    dispatcher: LocalDispatcher
    client: redis.Redis
    known: KnownTables
    tables: dict[str, TrackedTable]

    def ask(self, sql: str, engine: Engine = "columnar", *params: str | None) -> Answer:
        return self.service.run(QueryInput(sql, params, 30.0, 10_000, engine))

    def check(self, sql: str, *params: str | None) -> Answer:
        """Ask over segments, and compare with PostgreSQL."""
        answer = self.ask(sql, "columnar", *params)
        whole = self.ask(sql, "direct", *params)
        assert (answer.rows, answer.columns) == (whole.rows, whole.columns)
        return answer

    def run(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as session:
            session.execute(sql.encode())

    def keep(self, table: str = "sales") -> None:
        self.keeper.keep(self.tables[table])

    def segments(self, table: str = "sales") -> list[Segment]:
        with self.own.connection() as connection:
            found = segments_of(connection, self.tables[table].id)
        return [one for one in found if one.state == "ready"]


@contextmanager
def columnar_stand(url: str, redis_url: str, tmp_path: Path) -> Iterator[Stand]:
    """Accelerate the TABLES of this database, build their segments, and serve queries."""
    settings = DatabaseSettings(url=url)
    folder = tmp_path / "segments"
    segments = SegmentSettings(folder=folder, bucket_rows=1000, group_rows=300, refresh_age_s=0)
    files = SegmentFolder(folder, 10**9)
    with own_database(settings, "test") as own, reader_database(settings, "test") as reader:
        keeper = Keeper(own, reader, files, segments, file_format("duckdb"))
        tables = {}
        for name in ("sales", "shops"):
            tables[name] = accelerate(own, reader, Installation(), segments, ("public", name))
            keeper.keep(tables[name])
        bounds = Bounds(2, 256 * 1024**2, tmp_path / "spill", 10**9)
        runner = ColumnarRunner(ColumnarEngine(folder, bounds), files)
        dispatcher = LocalDispatcher(reader, runner)
        client = redis.Redis.from_url(redis_url)
        partials = PartialCache(client, ttl_s=60, max_bytes=10**6)
        known = KnownTables(own, "public", fresh_s=0)
        query_settings = QuerySettings(columnar_min_cost=0, columnar_fragment_rows=1000)
        service = QueryService(
            reader,
            dispatcher,
            parser=Parser(cache_size=100, max_length=10**5, max_depth=60),
            catalog=CatalogReader("public"),
            settings=query_settings,
            metrics=QueryMetrics(CollectorRegistry()),
            columnar=ColumnarTools(known, partials, Times(), TablesAsked(own)),
        )
        yield Stand(url, own, reader, keeper, folder, service, dispatcher, client, known, tables)

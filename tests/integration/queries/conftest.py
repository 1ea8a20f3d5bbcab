# ruff: noqa: E501 - SQL reads best on one line
"""A query service over a database with awkward tables."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from app.queries.catalog_reader import CatalogReader
from app.queries.metrics import QueryMetrics
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from cli.embedded.postgres import EmbeddedPostgres
from db.database import Database
from db.migrate import migrate
from db.reader import reader_database
from db.settings import DatabaseSettings
from query.statement import Parser
from tests.integration.queries.local import LocalDispatcher

TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE COLLATION backwards (provider = libc, locale = 'C');
CREATE TABLE t (
    id int PRIMARY KEY, small smallint, big bigint, n int, v double precision, r real,
    amount numeric(12,2), free numeric, grp text, code char(4), vc varchar(10), name_c text COLLATE "POSIX",
    flag boolean, d date, ts timestamp, tz timestamptz, tm time, span interval, u uuid, raw bytea,
    doc jsonb, m mood, list int[]
);
INSERT INTO t SELECT
    i, (i * 7919 % 100)::smallint, i::bigint * 4000000000, i * 31 % 97,
    CASE WHEN i % 50 = 0 THEN 'NaN'::float8 WHEN i % 51 = 0 THEN '-0'::float8
         WHEN i % 53 = 0 THEN 'Infinity'::float8 ELSE (i % 13) / 10.0 - 0.5 END,
    (i % 11) / 8.0,
    CASE WHEN i % 7 = 0 THEN NULL ELSE (i % 1000) / 7.0 END,
    CASE i % 4 WHEN 0 THEN 1.0 WHEN 1 THEN 1.00 WHEN 2 THEN i / 10.0 END,
    CASE WHEN i % 17 = 0 THEN NULL ELSE 'g' || i % 10 END,
    chr(65 + i % 5), 'x' || i % 3, CASE i % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'B' ELSE 'ä' END,
    CASE i % 3 WHEN 0 THEN NULL ELSE i % 3 = 1 END,
    date '2024-01-01' + i % 400, timestamp '2024-01-01 10:00' + i % 90 * interval '1 hour',
    timestamptz '2024-01-01 10:00+00' + i % 90 * interval '1 minute', time '10:00' + i % 9 * interval '1 minute',
    CASE i % 3 WHEN 0 THEN interval '1 day' WHEN 1 THEN interval '24 hours' ELSE interval '1 month' END,
    md5(i::text)::uuid, decode(md5((i % 4)::text), 'hex'), jsonb_build_object('k', i % 3),
    (ARRAY['sad','ok','happy']::mood[])[1 + i % 3], ARRAY[i % 3, NULL]
  FROM generate_series(1, 4000) AS i;
DELETE FROM t WHERE id % 9 = 0;
UPDATE t SET n = n + 1 WHERE id % 10 = 1;
CREATE TABLE s (id int PRIMARY KEY, t_id int, weight numeric(8,3), label text);
INSERT INTO s SELECT i, i * 3 % 5000, i / 8.0, 'l' || i % 6 FROM generate_series(1, 1500) AS i;
CREATE TABLE empty (id int PRIMARY KEY, grp text, n int);
CREATE TABLE parent (id int, n int); CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1, 1); INSERT INTO child VALUES (2, 2);
CREATE TABLE parted (id int, n int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
INSERT INTO parted SELECT i, i FROM generate_series(1, 90) i;
CREATE VIEW seen AS SELECT id, n, now() AS at FROM t WHERE n > 50;
CREATE MATERIALIZED VIEW kept AS SELECT grp, count(*) AS c FROM t GROUP BY grp;
CREATE TABLE secured (id int, n int); INSERT INTO secured SELECT i, i FROM generate_series(1, 50) i;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY evens ON secured USING (n % 2 = 0);
VACUUM ANALYZE;
"""


@contextmanager
def loaded_database(postgres: EmbeddedPostgres, name: str, tables: str) -> Iterator[str]:
    """Make a migrated database with these tables, for the time of the context; yield its URL."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = postgres.url(name)
    migrate(url, DatabaseSettings(url=url))
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in tables.split(";\n"):
            connection.execute(statement.encode())
    yield url
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def tables_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL of a migrated database with the tables above; for its owner; the tests only read."""
    with loaded_database(postgres, "awkward", TABLES) as url:
        yield url


@pytest.fixture(scope="session")
def reader(tables_url: str) -> Iterator[Database]:
    """The reader's pool."""
    with reader_database(DatabaseSettings(url=tables_url), "test") as database:
        yield database


def service_over(
    database: Database, settings: QuerySettings, dispatcher: LocalDispatcher | None = None
) -> QueryService:
    """Return a service that runs its fragments by `dispatcher`, or else right here."""
    return QueryService(
        database,
        dispatcher or LocalDispatcher(database),
        parser=Parser(cache_size=100, max_length=100_000, max_depth=60),
        catalog=CatalogReader("public"),
        settings=settings,
        metrics=QueryMetrics(CollectorRegistry()),
    )


@pytest.fixture(scope="session")
def service(reader: Database) -> QueryService:
    """A service that splits whatever it can, however cheap."""
    return service_over(reader, QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9))

"""Two replicas that share a database and a Redis."""

from collections.abc import Iterator

import psycopg
import pytest

from app.cache.settings import CacheSettings
from db.migrate import migrate
from db.settings import DatabaseSettings
from tests.integration.cache.replicas import PATIENT, Replica, replica

TABLES = """
CREATE TABLE t (id int, n int); INSERT INTO t VALUES (1, 10), (2, 20);
CREATE TABLE s (id int); INSERT INTO s VALUES (1);
CREATE TABLE parent (id int) PARTITION BY RANGE (id);
CREATE TABLE child PARTITION OF parent FOR VALUES FROM (0) TO (100);
INSERT INTO parent VALUES (1);
CREATE VIEW seen AS SELECT * FROM t;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM t;
CREATE FUNCTION wild(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1';
CREATE FUNCTION tame(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION sneaky(t) RETURNS float8 LANGUAGE sql VOLATILE AS 'SELECT random()';
"""


@pytest.fixture
def tables_url(database_url: str) -> str:
    """URL of a migrated database with the tables above, for its owner."""
    migrate(database_url, DatabaseSettings(url=database_url))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(TABLES.encode())
    return database_url


@pytest.fixture
def owner(tables_url: str) -> Iterator[psycopg.Connection]:
    """A connection that may write."""
    with psycopg.connect(tables_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def cache_settings() -> CacheSettings:
    """Those of both replicas; a test that needs others has them as its parameter."""
    return PATIENT


@pytest.fixture
def one(tables_url: str, redis_url: str, cache_settings: CacheSettings) -> Iterator[Replica]:
    with replica(tables_url, redis_url, cache_settings) as made:
        yield made


@pytest.fixture
def other(tables_url: str, redis_url: str, cache_settings: CacheSettings) -> Iterator[Replica]:
    with replica(tables_url, redis_url, cache_settings) as made:
        yield made

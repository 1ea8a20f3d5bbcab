# ruff: noqa: E501 - SQL reads best on one line
"""Tables cut by ranges of a column's values: exact whatever the values, and chosen where cheaper."""

import itertools
import random
import threading
from collections.abc import Iterator, Sequence

import psycopg
import pytest
from sqlglot import exp

from app.queries.request import QueryInput
from app.queries.settings import QuerySettings
from cli.embedded.postgres import EmbeddedPostgres
from db.database import Database
from db.migrate import migrate
from db.reader import reader_database
from db.settings import DatabaseSettings
from query.dialect import render
from query.key_ranges import KEY_TYPES, range_condition
from tests.integration.queries.conftest import service_over

# by type: values that ascend or not, with all that is special about them
VALUES: dict[str, list[str]] = {
    "smallint": ["-32768", "-1", "0", "1", "32767"],
    "integer": ["-2147483648", "-7", "0", "7", "2147483647"],
    "bigint": ["-9223372036854775808", "-1", "0", "5", "9223372036854775807"],
    "numeric": ["-Infinity", "-1.50", "-1.5", "0", "0.00", "1e-20", "7.0", "7.00", "1e30", "Infinity", "NaN"],
    "date": ["-infinity", "4713-01-01 BC", "0044-03-15 BC", "0001-01-01", "2024-02-29", "5874897-12-31", "infinity"],
    "timestamp without time zone": ["-infinity", "0044-03-15 12:00 BC", "1999-12-31 23:59:59.999999", "2024-03-31 02:30", "infinity"],
    "timestamp with time zone": ["-infinity", "0044-03-15 12:00+00 BC", "2024-10-27 00:30+00", "2024-10-27 01:30+00", "infinity"],
    "text": ["", " ", "a", "A", "ä", "Ä", "b", "B", "a\u0308", "Z", "_", "~", "it's", 'q"o', "back\\slash", "{,}", "NULL", "\U0001f600", "ß", "ss"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "6b0e0000-0000-4000-8000-000000000001", "10000000-0000-0000-0000-000000000000"],
}  # fmt: skip
COLLATIONS = ["", '"C"', '"POSIX"', "ucs_basic", "en_us", "any_case"]
TABLES = """
CREATE TABLE big (id int PRIMARY KEY, k int, day date, name text, filler text);
INSERT INTO big SELECT i, i % 5000, date '2024-01-01' + i / 40, 'n' || i % 3000, repeat('x', 200) FROM generate_series(1, 40000) i;
CREATE INDEX ON big (day); CREATE INDEX ON big (name);
CREATE TABLE unseen (id int PRIMARY KEY, k int NOT NULL) WITH (autovacuum_enabled = off);
CREATE TABLE nowhere (id int PRIMARY KEY, k int) WITH (autovacuum_enabled = off);
CREATE TABLE parted (id int, k int, filler text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (20000);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (20000) TO (90000);
CREATE INDEX ON parted (k);
INSERT INTO parted SELECT i, i / 8, repeat('x', 200) FROM generate_series(1, 40000) i;
VACUUM ANALYZE big; VACUUM ANALYZE parted_1; VACUUM ANALYZE parted_2;
INSERT INTO unseen SELECT i, i % 100 FROM generate_series(1, 2000) i
"""


@pytest.fixture(scope="module")
def keys_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL, for its owner, of a database with the tables above, and collations."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS keys")
        connection.execute("CREATE DATABASE keys")
    url = postgres.url("keys")
    migrate(url, DatabaseSettings(url=url))
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in TABLES.split(";"):
            connection.execute(statement.encode())
        icu = connection.execute("SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'")
        if icu.fetchone() == (0,):
            connection.execute("CREATE COLLATION en_us (provider = libc, locale = 'C')")
            connection.execute("CREATE COLLATION any_case (provider = libc, locale = 'C')")
        else:
            connection.execute("CREATE COLLATION en_us (provider = icu, locale = 'en-US')")
            connection.execute(
                "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
            )
    yield url
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE keys WITH (FORCE)")


@pytest.fixture(scope="module")
def keys_reader(keys_url: str) -> Iterator[Database]:
    """The reader's pool."""
    with reader_database(DatabaseSettings(url=keys_url), "test") as database:
        yield database


def _cases() -> Iterator[tuple[str, str]]:
    for type_ in KEY_TYPES.values():
        if type_ in ("text", "character varying"):
            yield from ((type_, collation) for collation in COLLATIONS)
        else:
            yield type_, ""


@pytest.mark.parametrize(("type_", "collation"), list(_cases()))
def test_each_row_lies_in_exactly_one_range_whatever_the_bounds(
    keys_url: str, type_: str, collation: str
) -> None:
    rng = random.Random(f"{type_} {collation}")
    values = VALUES.get(type_, VALUES["text"])
    with psycopg.connect(keys_url) as connection, psycopg.RawCursor(connection) as cursor:
        collate = f" COLLATE {collation}" if collation else ""
        cursor.execute(f"CREATE TEMP TABLE x (k {type_}{collate})".encode())
        cursor.execute(
            f"INSERT INTO x SELECT unnest($1::{type_}[])".encode(), [[*values, None, None]]
        )
        for _ in range(12):
            chosen = rng.sample(values, rng.randint(1, min(5, len(values))))
            cursor.execute(
                f"SELECT v::text FROM unnest($1::{type_}[]) AS u(v) ORDER BY u.v{collate}".encode(),
                [chosen],
            )
            bounds = [str(row[0]) for row in cursor.fetchall()]
            conditions = [
                f"({render(condition)})::int"
                for condition in _conditions([None, *bounds, None], type_)
            ]
            sql = f"SELECT count(*) FROM x WHERE {' + '.join(f'coalesce({one}, 0)' for one in conditions)} <> 1"
            cursor.execute(sql.encode())
            assert cursor.fetchone() == (0,), bounds


def _conditions(edges: Sequence[str | None], type_: str) -> Iterator[exp.Expr]:
    def typed(text: str | None) -> exp.Expr | None:
        if text is None:
            return None
        return exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build(type_, udt=True))

    for low, high in itertools.pairwise(edges):
        yield range_condition(exp.column("k"), typed(low), typed(high), nullable=True)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*), sum(k) FROM big WHERE id BETWEEN 9000 AND 14000",
        "SELECT k, count(*) FROM big WHERE id >= 20000 AND id < 25000 AND k > 70 GROUP BY k ORDER BY k LIMIT 9",
        "SELECT count(filler) FROM big WHERE day >= '2024-06-01' AND day < date '2024-07-20'",
        "SELECT count(filler) FROM parted WHERE k BETWEEN 1000 AND 1200",
    ],
)
def test_what_an_index_serves_is_cut_along_it(keys_reader: Database, sql: str) -> None:
    service = service_over(keys_reader, QuerySettings(min_fragment_cost=0.001))
    answer = service.run(QueryInput(sql, (), 30.0, 1000))
    assert answer.mode == "partitioned", answer.reason
    assert ", cut by " in answer.reason
    assert "by blocks a fragment would cost" in answer.reason
    assert answer.rows == service.run(QueryInput(sql, (), 30.0, 1000, "direct")).rows


def test_ranges_lie_within_what_the_query_asks_for(keys_reader: Database) -> None:
    service = service_over(keys_reader, QuerySettings(min_fragment_cost=0.001))
    sql = "SELECT count(*) FROM big WHERE id > $1 AND id <= 14000"
    plan = service.explain(QueryInput(sql, ("9000",), 30.0, 10)).plan
    bounds = [
        int(part.rows.partition(" from ")[2].partition(" ")[0].rstrip(","))
        for part in plan.parts[1:]
    ]
    assert len(bounds) == 3
    assert 9000 < bounds[0] < bounds[1] < bounds[2] < 14000


def test_one_value_of_an_index_is_not_cut(keys_reader: Database) -> None:
    service = service_over(keys_reader, QuerySettings(min_fragment_cost=0.001))
    answer = service.run(QueryInput("SELECT count(*) FROM big WHERE name = 'n7'", (), 30.0, 10))
    assert answer.mode == "direct"


def test_without_statistics_an_index_tells_the_extremes(keys_reader: Database) -> None:
    service = service_over(
        keys_reader, QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9)
    )
    sql = "SELECT count(*), sum(c) FROM (SELECT id, count(*) AS c FROM unseen GROUP BY id) x"
    plan = service.explain(QueryInput(sql, (), 30.0, 10)).plan
    assert [part.rows for part in plan.parts] == [
        "id below 500, or null, of public.unseen",
        "id from 500 to 1000, of public.unseen",
        "id from 1000 to 1500, of public.unseen",
        "id from 1500, of public.unseen",
    ]
    assert "NULL" not in plan.parts[0].sql  # a primary key has none
    assert service.run(QueryInput(sql, (), 30.0, 10)).rows == [("2000", "2000")]


def test_without_statistics_or_rows_it_runs_whole(keys_reader: Database) -> None:
    service = service_over(
        keys_reader, QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9)
    )
    answer = service.run(
        QueryInput("SELECT k, count(*) OVER (PARTITION BY k) FROM nowhere", (), 30.0, 10)
    )
    assert answer.mode == "direct"
    assert "do not divide it" in answer.reason


def test_rows_that_change_their_key_count_once(keys_reader: Database, keys_url: str) -> None:
    service = service_over(
        keys_reader, QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9)
    )
    stop, written = threading.Event(), threading.Semaphore(0)
    sql = "SELECT sum(c), count(*) > 0 FROM (SELECT k, count(*) AS c FROM parted GROUP BY k) x"

    def write() -> None:
        with psycopg.connect(keys_url, autocommit=True) as connection:
            turn = 0
            while not stop.is_set():
                turn += 1
                written.release()
                connection.execute(
                    "UPDATE parted SET k = 5000 - k WHERE id %% 500 = %s", [turn % 500]
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        answers = []
        for _ in range(8):
            written.acquire(timeout=30)  # or the writer might not have had a turn at all
            answers.append(service.run(QueryInput(sql, (), 30.0, 10)))
    finally:
        stop.set()
        writer.join()
    assert {answer.mode for answer in answers} == {"partitioned"}, answers[0].reason
    assert {answer.rows[0] for answer in answers} == {("40000", "t")}
    assert len({answer.snapshot for answer in answers}) > 1

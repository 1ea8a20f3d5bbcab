# ruff: noqa: E501 - SQL reads best on one line
"""Window functions: split by ranges of what they are partitioned by, or computed in the merge."""

from collections.abc import Iterator

import pytest
import sqlglot

from app.queries.request import Answer, QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from cli.embedded.postgres import EmbeddedPostgres
from db.database import Database
from db.reader import reader_database
from db.settings import DatabaseSettings
from tests.integration.queries.conftest import loaded_database, service_over

TABLES = """
CREATE TABLE w (id int PRIMARY KEY, k int, name text, code text COLLATE "C", posix text COLLATE "POSIX", u uuid, d date, ts timestamptz,
                amount numeric(10,2), free numeric, n int, f double precision, flag boolean);
INSERT INTO w SELECT i, nullif(i * 7 % 61, 5), nullif('n' || i * 13 % 40, 'n3'), (ARRAY['a','B','b','A','Z_','é'])[1 + i % 6], (ARRAY['x','Y','ä'])[1 + i % 3],
       md5((i % 30)::text)::uuid, date '2024-01-01' + i % 50, timestamptz '2024-03-30 20:00+00' + i % 70 * interval '15 minutes',
       nullif(i % 90, 4) / 8.0, CASE i % 3 WHEN 0 THEN 1.0 WHEN 1 THEN 1.00 ELSE i / 10.0 END, i % 17, i / 7.0, i % 2 = 0
  FROM generate_series(1, 3000) i;
CREATE INDEX ON w (k);
CREATE TABLE other (id int PRIMARY KEY, k int, label text);
INSERT INTO other SELECT i, i % 61, 'l' || i % 5 FROM generate_series(1, 200) i;
CREATE TABLE skewed (id int PRIMARY KEY, k int, v int);
INSERT INTO skewed SELECT i, CASE WHEN i % 100 = 0 THEN i % 700 ELSE 42 END, i % 9 FROM generate_series(1, 3000) i;
CREATE TABLE nulls (id int PRIMARY KEY, k int, v int);
INSERT INTO nulls SELECT i, CASE WHEN i % 25 = 0 THEN i % 40 END, i % 9 FROM generate_series(1, 2000) i;
CREATE TABLE empty (id int PRIMARY KEY, k int, v int);
CREATE TABLE same (id int PRIMARY KEY, k int, v int);
INSERT INTO same SELECT i, 7, i % 9 FROM generate_series(1, 1000) i;
CREATE TABLE parts (id int, k int, v int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (9000);
INSERT INTO parts SELECT i, i % 50, i % 9 FROM generate_series(1, 3000) i;
CREATE TABLE above (id int, k int, v int);
CREATE TABLE below_it () INHERITS (above);
INSERT INTO above SELECT i, i % 50, i % 9 FROM generate_series(1, 1000) i;
INSERT INTO below_it SELECT i, i % 70, i % 9 FROM generate_series(1001, 2000) i;
CREATE VIEW ranked AS SELECT id, k, row_number() OVER (PARTITION BY k ORDER BY id DESC) AS place FROM w;
VACUUM ANALYZE;
"""

SPLITS = [
    # every kind of function
    "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id), rank() OVER (PARTITION BY k ORDER BY n), dense_rank() OVER (PARTITION BY k ORDER BY n), percent_rank() OVER (PARTITION BY k ORDER BY n), cume_dist() OVER (PARTITION BY k ORDER BY n) FROM w",
    "SELECT id, ntile(3) OVER (PARTITION BY k ORDER BY id), lag(name) OVER (PARTITION BY k ORDER BY id), lead(n, 2, 0) OVER (PARTITION BY k ORDER BY id DESC) FROM w",
    "SELECT id, first_value(free) OVER w1, last_value(f) OVER w1, nth_value(name, 3) OVER w1 FROM w WINDOW w1 AS (PARTITION BY k ORDER BY amount NULLS FIRST, id)",
    "SELECT id, sum(amount) OVER (PARTITION BY k ORDER BY n), avg(amount) OVER (PARTITION BY k), count(*) OVER (PARTITION BY k ORDER BY n, d), stddev(n) OVER (PARTITION BY k) FROM w",
    "SELECT id, min(n) OVER (PARTITION BY k), max(d) OVER (PARTITION BY k ORDER BY n), bool_or(flag) OVER (PARTITION BY k), bit_xor(n) OVER (PARTITION BY k) FROM w",
    "SELECT id, array_agg(n) OVER (PARTITION BY k ORDER BY id), string_agg(name, ',') OVER (PARTITION BY k ORDER BY id ROWS 2 PRECEDING) FROM w WHERE k < 9",
    "SELECT id, sum(n) FILTER (WHERE flag) OVER (PARTITION BY k ORDER BY d), count(*) FILTER (WHERE n > 3) OVER (PARTITION BY k) FROM w",
    # frames
    "SELECT id, sum(n) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING), sum(n) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) FROM w",
    "SELECT id, sum(n) OVER (PARTITION BY k ORDER BY d RANGE BETWEEN interval '3 days' PRECEDING AND '1 day' FOLLOWING), sum(n) OVER (PARTITION BY k ORDER BY n RANGE 4 PRECEDING) FROM w",
    "SELECT id, count(*) OVER (PARTITION BY k ORDER BY d GROUPS BETWEEN 2 PRECEDING AND CURRENT ROW), sum(amount) OVER (PARTITION BY k ORDER BY d groups 1 preceding EXCLUDE TIES) FROM w",
    "SELECT id, sum(n) OVER (PARTITION BY k ORDER BY d RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW), sum(n) OVER (PARTITION BY k ORDER BY d RANGE UNBOUNDED PRECEDING EXCLUDE GROUP), sum(n) OVER (PARTITION BY k ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE NO OTHERS) FROM w",
    # WINDOW clauses
    'SELECT id, rank() OVER (base ORDER BY n), count(*) OVER base, sum(n) OVER "Two" FROM w WINDOW base AS (PARTITION BY k), "Two" AS (base ORDER BY id ROWS 1 PRECEDING)',
    # by text in several collations, uuid, date, timestamptz, numeric
    "SELECT id, row_number() OVER (PARTITION BY name ORDER BY id) FROM w",
    "SELECT id, row_number() OVER (PARTITION BY code ORDER BY id) FROM w",
    "SELECT id, row_number() OVER (PARTITION BY posix ORDER BY id) FROM w",
    "SELECT id, row_number() OVER (PARTITION BY u ORDER BY id) FROM w",
    "SELECT id, row_number() OVER (PARTITION BY d ORDER BY id) FROM w",
    "SELECT id, row_number() OVER (PARTITION BY ts ORDER BY id) FROM w",
    "SELECT id, count(*) OVER (PARTITION BY amount) FROM w",
    "SELECT id, count(*) OVER (PARTITION BY free) FROM w",
    "SELECT id, count(*) OVER (PARTITION BY flag, k), rank() OVER (PARTITION BY k, n ORDER BY d) FROM w",
    # where rows tie in a window, if they do not, or it does not show
    "SELECT id, row_number() OVER (PARTITION BY k, n ORDER BY f) FROM w",
    "SELECT k, lag(d) OVER (PARTITION BY k ORDER BY f), id FROM w ORDER BY id LIMIT 20",
    # order and top rows
    "SELECT id, k, rank() OVER (PARTITION BY k ORDER BY n) AS r FROM w ORDER BY r DESC, id LIMIT 11 OFFSET 3",
    "SELECT id, sum(n) OVER (PARTITION BY k ORDER BY id) AS s FROM w ORDER BY s, n + 1, k NULLS FIRST, id",
    "SELECT id FROM w ORDER BY row_number() OVER (PARTITION BY k ORDER BY id), id FETCH FIRST 30 ROWS ONLY",
    "SELECT DISTINCT ON (k) k, id, count(*) OVER (PARTITION BY k) FROM w ORDER BY k, id DESC",
    # joins: the partition is that of the table that is cut
    "SELECT w.id, o.label, count(*) OVER (PARTITION BY w.k), rank() OVER (PARTITION BY w.k ORDER BY o.label, w.n) FROM w JOIN other o ON o.k = w.k",
    "SELECT w.id, count(o.id) OVER (PARTITION BY w.k) FROM w LEFT JOIN other o ON o.id = w.id WHERE w.n > 3",
    "SELECT id, count(*) OVER (PARTITION BY k), (SELECT max(label) FROM other o WHERE o.id = w.id) FROM w",
    # inside
    "SELECT x.k, x.id FROM (SELECT k, id, row_number() OVER (PARTITION BY k ORDER BY d DESC, id) AS place FROM w) x WHERE x.place = 1 ORDER BY x.k",
    "SELECT count(*), sum(x.r) FROM (SELECT rank() OVER (PARTITION BY k ORDER BY n) AS r FROM w) x WHERE r < 4",
    "WITH x AS (SELECT k AS key, id, lag(n) OVER (PARTITION BY k ORDER BY id) AS before, n FROM w) SELECT key, count(*) FILTER (WHERE n > before) FROM x GROUP BY key ORDER BY key",
    "SELECT y.key, count(*) OVER (PARTITION BY y.key ORDER BY y.m) FROM (SELECT k AS key, n + 1 AS m FROM w) y ORDER BY 1, 2",
    "SELECT y.a, dense_rank() OVER (PARTITION BY y.a ORDER BY y.b) FROM (SELECT k, n FROM w) AS y(a, b) ORDER BY 1, 2",
    "WITH y(a, b) AS (SELECT k, n FROM w) SELECT a, rank() OVER (PARTITION BY a ORDER BY b) FROM y ORDER BY 1, 2",
    "SELECT z.k, z.c, rank() OVER (PARTITION BY z.k ORDER BY z.n) FROM (SELECT *, count(*) OVER (PARTITION BY k, n) AS c FROM w) z",
    "SELECT place, count(*) FROM ranked GROUP BY place ORDER BY place",
    "SELECT o.label, x.place FROM other o JOIN (SELECT k, row_number() OVER (PARTITION BY k ORDER BY id) AS place FROM w) x ON x.k = o.k WHERE x.place < 3",
    # groups inside, by what is cut
    "SELECT sum(x.c), max(x.s), count(*) FROM (SELECT k, count(*) AS c, sum(amount) AS s FROM w GROUP BY k) x",
    "SELECT x.c, count(*) FROM (SELECT name, count(DISTINCT n) AS c FROM w WHERE d > '2024-01-09' GROUP BY 1 HAVING count(*) > 3) x GROUP BY x.c ORDER BY 1",
    "SELECT count(*) FROM (SELECT DISTINCT k, n FROM w) x",
    "SELECT x.k, rank() OVER (PARTITION BY x.k ORDER BY x.c) FROM (SELECT k, n, count(*) AS c FROM w GROUP BY k, n) x",
    "SELECT count(*), sum(r) FROM (SELECT k, rank() OVER (PARTITION BY k ORDER BY count(*)) AS r FROM w GROUP BY k, n) x",
    # over groups, in the merge
    "SELECT k, count(*), rank() OVER (ORDER BY count(*) DESC), row_number() OVER (ORDER BY sum(n), k) FROM w GROUP BY k ORDER BY k",
    "SELECT name, n, sum(amount), sum(sum(amount)) OVER (PARTITION BY name ORDER BY n), avg(count(*)) OVER () FROM w GROUP BY name, n ORDER BY 1, 2",
    "SELECT d, count(*) - lag(count(*)) OVER w1 AS more, max(max(n)) OVER (ORDER BY d ROWS 3 PRECEDING) FROM w GROUP BY d WINDOW w1 AS (ORDER BY d) ORDER BY d LIMIT 9",
    "SELECT flag, 100 * count(*) / sum(count(*)) OVER () FROM w GROUP BY flag",
    "SELECT k, row_number() OVER (ORDER BY sum(n * id), sum(id)) FROM w WHERE n = 3 GROUP BY k",
    "SELECT n, sum(amount) FILTER (WHERE flag), sum(count(*)) FILTER (WHERE n > 5) OVER (ORDER BY n) FROM w GROUP BY n HAVING count(*) > 5 ORDER BY n",
    # awkward tables
    "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) FROM skewed",
    "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) FROM nulls",
    "SELECT id, count(*) OVER (PARTITION BY k) FROM parts",
    "SELECT id, k, rank() OVER (PARTITION BY k ORDER BY v) FROM above",
    "SELECT k, count(*), sum(sum(v)) OVER (ORDER BY k) FROM nulls WHERE id < 0 GROUP BY k",
]

RUNS_WHOLE = {
    "SELECT id, row_number() OVER (ORDER BY id) FROM w": "window functions are not all",
    "SELECT id, row_number() OVER (PARTITION BY k + 1 ORDER BY id) FROM w": "window functions are not all",
    "SELECT id, count(*) OVER (PARTITION BY k), count(*) OVER (PARTITION BY n) FROM w": "window functions are not all",
    'SELECT id, count(*) OVER (PARTITION BY name COLLATE "C") FROM w': "window functions are not all",
    "SELECT id, count(*) OVER (PARTITION BY f) FROM w": "window functions are not all",
    "SELECT o.id, count(*) OVER (PARTITION BY w.k) FROM other o LEFT JOIN w ON w.id = o.id": "window functions are not all",
    "SELECT id, sum(f) OVER (PARTITION BY k ORDER BY id) FROM w": "may be one of floats",
    "SELECT id, avg(sqrt(n)) OVER (PARTITION BY k) FROM w": "may be one of floats",
    "SELECT id, max(free) OVER (PARTITION BY k) FROM w": "may pick among equal values",
    # ties that show
    "SELECT id, row_number() OVER (PARTITION BY k ORDER BY n) FROM w": "equal values decide",
    "SELECT id, lag(id) OVER (PARTITION BY k) FROM w": "equal values decide",
    "SELECT id, sum(n) OVER (PARTITION BY k ORDER BY n ROWS 1 PRECEDING) FROM w ORDER BY id LIMIT 1": "equal values decide",
    "SELECT id, array_agg(id) OVER (PARTITION BY k ORDER BY n) FROM w": "equal values decide",
    "SELECT w.id, row_number() OVER (PARTITION BY w.k ORDER BY w.id) FROM w JOIN other o ON o.k = w.k": "equal values decide",
    "SELECT k, row_number() OVER (ORDER BY count(*)) FROM w GROUP BY k": "equal values decide",
    "SELECT k, row_number() OVER (ORDER BY count(*)) FROM w GROUP BY k ORDER BY k LIMIT 2": "groups that tie",
    "SELECT k, rank() OVER (ORDER BY count(*)) AS r FROM w GROUP BY k ORDER BY r LIMIT 2": "groups that tie",
    "SELECT DISTINCT ON (k) k, lag(n) OVER (PARTITION BY k ORDER BY n) FROM w ORDER BY k, id": "DISTINCT ON",
    "SELECT count(*) FROM (SELECT row_number() OVER (PARTITION BY k ORDER BY n) AS r FROM w) x WHERE r = 1": "row_number inside the query",
    "SELECT id FROM w WHERE id IN (SELECT first_value(o.id) OVER (ORDER BY w.id) FROM other o)": "first_value inside the query",
    "SELECT DISTINCT k, count(*) OVER (PARTITION BY k) FROM w": "DISTINCT beside",
    "SELECT max(x.s) FROM (SELECT k, sum(f) AS s FROM w GROUP BY k) x": "a sum of floats inside",
    "SELECT max(x.s) FROM (SELECT k, sum(sqrt(n)) AS s FROM w GROUP BY k) x": "may be one of floats",
    "SELECT x.n, count(*) OVER (PARTITION BY x.n) FROM (SELECT k, count(*) AS n FROM w GROUP BY k) x": "window functions are not all",
    "SELECT id, count(*) OVER (PARTITION BY k) FROM (SELECT id, k FROM w UNION ALL SELECT id, k FROM other) x": "window functions are not all",
    # nothing to divide
    "SELECT id, count(*) OVER (PARTITION BY k) FROM same": "do not divide it",
    "SELECT id, count(*) OVER (PARTITION BY k) FROM empty": "do not divide it",
}


@pytest.fixture(scope="module")
def windows_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL, for its owner, of a database with the tables above."""
    with loaded_database(postgres, "windows", TABLES) as url:
        yield url


@pytest.fixture(scope="module")
def windows_reader(windows_url: str) -> Iterator[Database]:
    """The reader's pool."""
    with reader_database(DatabaseSettings(url=windows_url), "test") as database:
        yield database


@pytest.fixture(scope="module")
def windows(windows_reader: Database) -> QueryService:
    """A service that splits whatever it can, however cheap."""
    return service_over(
        windows_reader, QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9)
    )


def ask(service: QueryService, sql: str, engine: str = "auto") -> Answer:
    return service.run(QueryInput(sql, (), 30.0, 20_000, engine))  # type: ignore[arg-type]


def assert_equal(sql: str, got: Answer, whole: Answer) -> None:
    assert got.columns == whole.columns
    assert got.types == whole.types
    if sqlglot.parse_one(sql, dialect="postgres").args.get("order"):
        assert got.rows == whole.rows
    else:
        assert sorted(map(repr, got.rows)) == sorted(map(repr, whole.rows))


@pytest.mark.parametrize("sql", SPLITS)
def test_a_window_that_splits_answers_as_postgresql_does(windows: QueryService, sql: str) -> None:
    answer = ask(windows, sql)
    assert answer.mode == "partitioned", answer.reason
    assert_equal(sql, answer, ask(windows, sql, "direct"))


@pytest.mark.parametrize(("sql", "reason"), RUNS_WHOLE.items())
def test_a_window_that_does_not_split_says_why(
    windows: QueryService, sql: str, reason: str
) -> None:
    answer = ask(windows, sql)
    assert answer.mode == "direct"
    assert reason in answer.reason
    assert_equal(sql, answer, ask(windows, sql, "direct"))


def test_explain_tells_the_ranges_and_the_column(windows: QueryService) -> None:
    sql = "SELECT id, count(*) OVER (PARTITION BY k) FROM w WHERE n > $1"
    plan = windows.explain(QueryInput(sql, ("5",), 30.0, 10)).plan
    assert "cut by k" in plan.reason
    assert plan.table is not None
    assert plan.table.name == "w"
    first, *between, last = (part.rows for part in plan.parts)
    assert first.startswith("k below ")
    assert "or null, of public.w" in first
    assert all(" to " in rows for rows in between)
    assert last.startswith("k from ")
    assert [len(part.params) for part in plan.parts] == [2, 3, 3, 2]

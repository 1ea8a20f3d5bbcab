# ruff: noqa: E501 - SQL reads best on one line
"""Which shapes of query split, over which kinds of table: PostgreSQL itself is the oracle."""

from collections.abc import Iterator

import pytest

from app.queries.request import Answer, QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from cli.embedded.postgres import EmbeddedPostgres
from db.database import Database
from db.reader import reader_database
from db.settings import DatabaseSettings
from query.errors import QueryTooCostly
from tests.integration.queries.conftest import loaded_database, service_over
from tests.integration.queries.test_exactness import assert_equal

TABLES = """
CREATE TABLE a (id int PRIMARY KEY, k text, v numeric(10,2), n int, items int[], doc jsonb);
INSERT INTO a SELECT i, 'k' || i % 7, i / 8.0, i % 50, ARRAY[i % 3, i % 5], jsonb_build_object('x', i % 4)
  FROM generate_series(1, 3000) i;
CREATE TABLE b (id bigint PRIMARY KEY, k varchar(10), v int, a_id int);
INSERT INTO b SELECT i, 'k' || i % 9, i % 40, i * 2 FROM generate_series(1, 2000) i;
CREATE TABLE c (a_id int, label text);
INSERT INTO c SELECT i * 3, 'l' || i % 4 FROM generate_series(1, 500) i;
CREATE TABLE nothing (id int, k text, v numeric(10,2));
CREATE TABLE floats (id int, f double precision);
INSERT INTO floats SELECT i, i / 7.0 FROM generate_series(1, 100) i;
CREATE TABLE events (id int, day date NOT NULL, amount numeric(8,2), note text, twice int GENERATED ALWAYS AS (id * 2) STORED)
  PARTITION BY RANGE (day);
CREATE TABLE events_jan PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE events_feb (note text, gone int, amount numeric(8,2), day date NOT NULL, id int, twice int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE events_feb DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_feb FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE events_mar PARTITION OF events FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') PARTITION BY HASH (id);
CREATE TABLE events_mar_0 PARTITION OF events_mar FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE events_mar_1 PARTITION OF events_mar FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events (id, day, amount, note) SELECT i, date '2024-01-01' + i * i % 91, i / 4.0, 'n' || i % 3 FROM generate_series(1, 5000) i;
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE child (extra text) INHERITS (parent);
CREATE TABLE grandchild (more int) INHERITS (child);
INSERT INTO parent SELECT i, i % 10 FROM generate_series(1, 700) i;
INSERT INTO child SELECT i, i % 10, 'e' FROM generate_series(500, 1900) i;
INSERT INTO grandchild SELECT i, i % 10, 'e', 1 FROM generate_series(1, 300) i;
CREATE TABLE "Odd ""Name" ("A b" int, "select" text);
INSERT INTO "Odd ""Name" SELECT i, 's' || i % 5 FROM generate_series(1, 1500) i;
CREATE UNLOGGED TABLE unlogged AS SELECT i AS id FROM generate_series(1, 1500) i;
CREATE MATERIALIZED VIEW kept AS SELECT id, k, v FROM a WHERE id % 2 = 0;
CREATE VIEW plain_view AS SELECT id, k AS key, v * 2 AS double FROM a WHERE n > 5;
CREATE VIEW view_of_view AS SELECT key, double FROM plain_view WHERE double < 500;
CREATE VIEW joined_view AS SELECT a.k, c.label FROM a JOIN c ON c.a_id = a.id;
CREATE VIEW counted_view AS SELECT k, count(*) AS c FROM a GROUP BY k;
CREATE VIEW secret_view WITH (security_barrier) AS SELECT id, k FROM a WHERE n < 20;
CREATE VIEW moving_view AS SELECT id, now() AS at FROM a;
CREATE TABLE secured (id int, n int);
INSERT INTO secured SELECT i, i FROM generate_series(1, 50) i;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY evens ON secured USING (n % 2 = 0);
CREATE VIEW view_of_secured AS SELECT id, n FROM secured;
CREATE TABLE secured_parts (id int, n int) PARTITION BY RANGE (id);
CREATE TABLE secured_part PARTITION OF secured_parts FOR VALUES FROM (0) TO (1000);
INSERT INTO secured_parts SELECT i, i FROM generate_series(1, 600) i;
ALTER TABLE secured_parts ENABLE ROW LEVEL SECURITY;
CREATE POLICY odds ON secured_parts USING (n % 2 = 1);
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (id int, n int) SERVER files OPTIONS (program 'echo 1,2', format 'csv');
CREATE TABLE half_far (id int, n int) PARTITION BY LIST (id);
CREATE TABLE half_far_near PARTITION OF half_far DEFAULT;
INSERT INTO half_far SELECT i, i FROM generate_series(10, 3000) i;
CREATE FOREIGN TABLE half_far_far PARTITION OF half_far FOR VALUES IN (1) SERVER files OPTIONS (program 'echo 1,2', format 'csv');
CREATE TABLE never_analyzed (id int, n int);
ALTER TABLE never_analyzed SET (autovacuum_enabled = off);
VACUUM ANALYZE;
INSERT INTO never_analyzed SELECT i, i % 7 FROM generate_series(1, 3000) i;
"""

SPLITS = [
    # UNION ALL, at the top and inside
    "SELECT id, k FROM a UNION ALL SELECT id, k FROM b",
    "SELECT id, v FROM a UNION ALL SELECT id, v FROM b UNION ALL (SELECT 0, NULL) ORDER BY 1, 2 LIMIT 30",
    "SELECT k AS key, v FROM a WHERE n = 3 UNION ALL SELECT 'fixed', v FROM b ORDER BY key, v DESC",
    "SELECT NULL::text, id FROM a WHERE id < 9 UNION ALL SELECT k, v FROM b ORDER BY 2, 1",
    "SELECT 'a', count(*) FROM a UNION ALL SELECT k, v FROM b WHERE v < 3 ORDER BY 1, 2",
    "SELECT k, v FROM a UNION ALL SELECT k, v FROM nothing",
    "SELECT k FROM a UNION SELECT k FROM b ORDER BY k",
    "SELECT n FROM a UNION (SELECT v FROM b UNION ALL SELECT 5) ORDER BY 1 OFFSET 3",
    "SELECT k, sum(v), count(*) FROM (SELECT k, v FROM a UNION ALL SELECT k, v FROM b) u GROUP BY k ORDER BY k",
    "SELECT u.key, count(u.val) FROM (SELECT k, v FROM a UNION ALL SELECT k, v FROM b) AS u(key, val) GROUP BY 1 ORDER BY 1",
    "WITH u AS (SELECT id, k FROM a UNION ALL SELECT id, k FROM b) SELECT count(*), min(k) FROM u WHERE id % 3 = 0",
    "SELECT u.k, count(c.label) FROM (SELECT id, k FROM a UNION ALL (SELECT a_id, k FROM b)) u LEFT JOIN c ON c.a_id = u.id GROUP BY u.k ORDER BY 1",
    "SELECT sum(x) FROM (SELECT id AS x FROM a UNION ALL SELECT count(*) FROM b GROUP BY k UNION ALL SELECT v FROM b) u",
    # subqueries and CTEs whose rows stem from one table's
    "SELECT k, count(*) FROM (SELECT k, n FROM a WHERE id > 10) x WHERE n > 5 GROUP BY k ORDER BY k",
    "SELECT x.m, count(*) FROM (SELECT y.n * 2 AS m FROM (SELECT n FROM a) y) x GROUP BY x.m ORDER BY 1",
    "WITH x AS (SELECT id, n FROM a WHERE n < 9), y AS (SELECT id, n + 1 AS m FROM x) SELECT m, count(*) FROM y GROUP BY m ORDER BY m",
    "WITH x AS MATERIALIZED (SELECT id, n FROM a) SELECT sum(n) FROM x WHERE id > 100",
    "SELECT id FROM (SELECT id, n FROM a ORDER BY n) x WHERE n = 4 ORDER BY id DESC LIMIT 5",
    "SELECT x.k, sum(x.v) FROM (SELECT a.k, b.v FROM a JOIN b ON b.a_id = a.id) x GROUP BY x.k ORDER BY 1",
    "SELECT count(*) FROM a JOIN (SELECT a_id, count(*) AS c FROM b GROUP BY a_id) x ON x.a_id = a.id WHERE c > 0",
    "WITH small AS (SELECT a_id FROM c WHERE label = 'l1') SELECT count(*) FROM a WHERE id IN (SELECT a_id FROM small)",
    # joins
    "SELECT a.k, count(c.label) FROM (a LEFT JOIN c ON c.a_id = a.id) GROUP BY a.k ORDER BY 1",
    "SELECT count(*), sum(b.v) FROM c RIGHT JOIN (a LEFT JOIN b ON b.a_id = a.id) ON c.a_id = a.id",
    "SELECT count(*) FROM a LEFT JOIN (b JOIN c ON c.a_id = b.a_id) ON b.a_id = a.id",
    "SELECT id, count(*) FROM a JOIN b USING (id) GROUP BY id ORDER BY id LIMIT 9",
    "SELECT * FROM a NATURAL JOIN nothing",
    "SELECT k, count(*) FROM a NATURAL LEFT JOIN (SELECT a_id AS id, label FROM c) z GROUP BY k ORDER BY k",
    "SELECT count(*) FROM a WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.a_id = a.id)",
    "SELECT a.id, l.most FROM a, LATERAL (SELECT max(b.v) AS most FROM b WHERE b.a_id = a.id) l WHERE a.n = 6 ORDER BY a.id",
    "SELECT a.id, l.m FROM a LEFT JOIN LATERAL (SELECT b.v + 1 AS m FROM b WHERE b.a_id = a.id) l ON true WHERE a.n = 7 ORDER BY 1, 2",
    "SELECT e.x, count(*) FROM a, unnest(a.items) AS e(x) GROUP BY e.x ORDER BY 1",
    "SELECT count(*), sum(g) FROM a CROSS JOIN generate_series(1, 3) AS g",
    "SELECT count(*) FROM a AS one, a AS two WHERE one.id = two.n",
    "SELECT one.id FROM a one LEFT JOIN a two ON two.id = one.id + 1 WHERE two.id IS NULL",
    "SELECT count(*) FROM a WHERE n > ALL (SELECT v FROM b WHERE v < 9)",
    "SELECT a.id, x.y FROM a JOIN (SELECT DISTINCT least(trim(k), 'k3') AS y FROM b) x ON x.y = a.k WHERE a.n = 3 ORDER BY 1, 2",
    # tables whose rows lie in several heaps
    "SELECT note, count(*), sum(amount), max(twice) FROM events GROUP BY note ORDER BY note",
    "SELECT id, day, amount, note, twice FROM events WHERE id < 200 ORDER BY id",
    "SELECT * FROM events WHERE day < '2024-01-05' ORDER BY id LIMIT 10",
    "SELECT count(*) FROM events WHERE day >= '2024-02-10' AND day < '2024-02-20'",
    "SELECT e.tableoid::int8 > 0, e.day, count(*) FROM events e GROUP BY 1, 2 ORDER BY 2",
    "SELECT e.note, count(*) FROM events e JOIN a ON a.id = e.id GROUP BY e.note ORDER BY 1",
    "SELECT day, count(*) FROM events_mar GROUP BY day ORDER BY day",
    "SELECT n, count(*) FROM parent GROUP BY n ORDER BY n",
    "SELECT count(*), min(extra) FROM child",
    "SELECT id, n FROM parent ORDER BY id, n",
    # and others
    'SELECT "select", max("A b") FROM "Odd ""Name" GROUP BY "select" ORDER BY 1',
    'SELECT "x y"."A b" FROM public."Odd ""Name" AS "x y" WHERE "A b" < 20 ORDER BY 1',
    "SELECT count(*), max(id) FROM unlogged",
    "SELECT k, count(*) FROM kept GROUP BY k ORDER BY k",
    "SELECT n, count(*) FROM never_analyzed GROUP BY n ORDER BY n",
    "SELECT key, sum(double) FROM plain_view GROUP BY key ORDER BY key",
    "SELECT p.id FROM public.plain_view AS p WHERE p.double > 300 ORDER BY p.id",
    "SELECT count(*), max(double) FROM view_of_view WHERE key <> 'k2'",
    "SELECT label, count(*) FROM joined_view GROUP BY label ORDER BY label",
    "SELECT sum(c) FROM counted_view",
    "SELECT a.id, v.c FROM a JOIN counted_view v ON v.k = a.k WHERE a.n = 3 ORDER BY a.id",
    # the first rows
    "SELECT n FROM a ORDER BY n FETCH FIRST 7 ROWS WITH TIES",
    "SELECT id, v FROM a ORDER BY v DESC NULLS LAST, id OFFSET 5 FETCH FIRST 9 ROWS WITH TIES",
    "SELECT DISTINCT ON (k) k, id, v FROM a ORDER BY k, v DESC, id",
    "SELECT DISTINCT ON (n % 3, (k)) n % 3 AS r, v FROM a ORDER BY k DESC, n % 3, id LIMIT 9 OFFSET 2",
    "SELECT DISTINCT ON (k) k, v FROM a ORDER BY k, v",
    "SELECT DISTINCT ON (1) n, id FROM a WHERE n > 9 ORDER BY 1, id DESC",
    "SELECT DISTINCT ON (k, k) k, n FROM a ORDER BY k, id",
    # functions that PostgreSQL says are immutable, operators on json and arrays
    "SELECT doc ->> 'x', count(*) FROM a WHERE doc ->> 'x' <> '2' AND items @> ARRAY[1] GROUP BY 1 ORDER BY 1",
    "SELECT md5(k), sha256(k::bytea), count(*) FROM a GROUP BY 1, 2 ORDER BY 1",
    "SELECT items[1], array_length(items, 1), count(*) FROM a WHERE regexp_count(k, '[1-3]') = 1 GROUP BY 1, 2 ORDER BY 1",
    "SELECT json_build_object('k', k)::text, count(*) FROM a GROUP BY 1 ORDER BY 1",
]

RUNS_WHOLE = {
    "SELECT n FROM a UNION SELECT v FROM b UNION ALL SELECT 5": "only subqueries",
    # what one of the fragments returns for the first column has another modifier
    "SELECT NULL, id FROM a WHERE id < 9 UNION ALL SELECT k, v FROM b": "types are not those",
    # max picks 1 or 1.00
    "SELECT k, max(v) FROM (SELECT k, v FROM a UNION ALL SELECT k, v FROM b) u GROUP BY k": "equal values",
    "SELECT count(*) FROM (SELECT k FROM a UNION SELECT k FROM b) u": "UNION without ALL",
    "SELECT k FROM a INTERSECT SELECT k FROM b": "INTERSECT",
    "SELECT k FROM a EXCEPT ALL SELECT k FROM b": "EXCEPT",
    "SELECT id, n FROM a ORDER BY n OFFSET 3 FETCH FIRST 7 ROWS WITH TIES": "equal values",
    "SELECT DISTINCT ON (k) k, n FROM a ORDER BY k, v": "rows that tie",
    "SELECT DISTINCT ON (k) k, v FROM a": "may pick any",
    "SELECT DISTINCT ON (key) k AS key, id FROM a ORDER BY k, id": "may pick any",
    "SELECT DISTINCT ON (a.k) a.k, a.id FROM a JOIN b ON b.a_id = a.id ORDER BY a.k, a.id": "rows that tie",
    "VALUES (1), (2)": "VALUES",
    "SELECT id FROM a UNION ALL (SELECT id FROM b LIMIT 3)": "LIMIT inside",
    "SELECT id FROM a UNION ALL SELECT id FROM b LIMIT 3": "LIMIT without ORDER BY",
    "SELECT count(*) FROM (SELECT DISTINCT upper(k) FROM a) x": "only subqueries",
    "SELECT sum(c) FROM (SELECT count(*) AS c FROM a GROUP BY n % 3) x": "only subqueries",
    "SELECT count(*) FROM (SELECT unnest(items) FROM a) x": "function unnest",
    "SELECT unnest(items) FROM a": "function unnest",
    "SELECT count(*) FROM (SELECT id FROM a ORDER BY id LIMIT 10) x": "LIMIT inside",
    "SELECT count(*) FROM (SELECT id FROM a OFFSET 10) x": "LIMIT inside",
    "WITH x AS (SELECT id, n FROM a) SELECT count(*) FROM x JOIN x AS y ON y.id = x.n": "only subqueries",
    "WITH x AS (SELECT id, n FROM a) SELECT count(*) FROM x WHERE n < (SELECT avg(n) FROM x)": "only subqueries",
    "SELECT count(*) FROM (SELECT k, row_number() OVER (ORDER BY id) AS r FROM a) x WHERE r < 10": "only subqueries",
    "SELECT count(*) FROM a FULL JOIN b USING (id)": "outer joins",
    "SELECT count(*) FROM (a JOIN c ON c.a_id = a.id) AS j": "no table in it",
    "SELECT count(*) FROM a TABLESAMPLE system (100)": "TABLESAMPLE",
    "SELECT count(*) FROM ONLY parent": "no table in it",
    "SELECT count(*) FROM secret_view": "hides rows",
    "SELECT count(*) FROM moving_view WHERE at IS NOT NULL": "function now",
    "SELECT count(*) FROM secured": "row security",
    "SELECT count(*) FROM view_of_secured": "row security",
    "SELECT count(*) FROM secured_parts": "row security",
    "SELECT count(*) FROM a JOIN secured s ON s.id = a.id": "row security",
    "SELECT count(*) FROM information_schema.tables": "another schema",
    "SELECT count(*) FROM generate_series(1, 1000) g": "no table in it",
    "SELECT id FROM a WHERE v > (SELECT max(f) FROM floats)": "may pick among equal values",
    "SELECT count(*) FROM a WHERE id IN (SELECT DISTINCT ON (k) id FROM a ORDER BY k)": "DISTINCT ON",
    "SELECT count(*) FROM a JOIN (SELECT f FROM floats GROUP BY f) x ON x.f = a.id": "among equal values",
    "SELECT count(*) FROM a JOIN (SELECT sum(z.s) AS s FROM (SELECT v AS s FROM b) z) y ON y.s > a.id": "may be one of floats",
    "SELECT count(*) FROM (SELECT k || 'y' AS d FROM a) x WHERE x.d::date IS NULL AND x.d IS NULL": "time of a transaction",
    # columns of a name that means something else inside
    "SELECT a.id, x.n FROM a JOIN (SELECT DISTINCT z.n FROM (SELECT v / 3.0 AS n FROM b) z) x ON x.n = a.id": "grouping by z.n",
    "SELECT count(*) FROM a WHERE n > (SELECT avg(n) FROM (SELECT f AS n FROM floats) z)": "may be one of floats",
    "SELECT count(*) FROM a JOIN (SELECT DISTINCT coalesce(v, 0) AS y FROM nothing) x ON x.y = a.n": "grouping by COALESCE",
    "SELECT id, ARRAY(SELECT label FROM c WHERE c.a_id = a.id) FROM a": "function array",
    "SELECT clock_timestamp() IS NULL, id FROM a WHERE id < 5": "clock_timestamp",
}


@pytest.fixture(scope="module")
def shapes_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL, for its owner, of a database with the tables above."""
    with loaded_database(postgres, "shapes", TABLES) as url:
        yield url


@pytest.fixture(scope="module")
def shapes_reader(shapes_url: str) -> Iterator[Database]:
    """The reader's pool."""
    with reader_database(DatabaseSettings(url=shapes_url), "test") as database:
        yield database


@pytest.fixture(scope="module")
def shapes(shapes_reader: Database) -> QueryService:
    """A service that splits whatever it can, however cheap."""
    return service_over(
        shapes_reader, QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9)
    )


def ask(service: QueryService, sql: str, engine: str = "auto") -> Answer:
    return service.run(QueryInput(sql, (), 30.0, 10_000, engine))  # type: ignore[arg-type]


@pytest.mark.parametrize("sql", SPLITS)
def test_a_shape_that_splits_answers_as_postgresql_does(shapes: QueryService, sql: str) -> None:
    answer = ask(shapes, sql)
    assert answer.mode == "partitioned", answer.reason
    assert answer.fragments > 1
    assert_equal(sql, answer, ask(shapes, sql, "direct"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, n FROM a ORDER BY n FETCH FIRST 7 ROWS WITH TIES",
        "SELECT k, count(*) FROM b GROUP BY k ORDER BY count(*) FETCH FIRST 2 ROWS WITH TIES",
    ],
)
def test_all_rows_that_tie_come_in_whatever_order(shapes: QueryService, sql: str) -> None:
    answer = ask(shapes, sql)
    assert answer.mode == "partitioned", answer.reason
    whole = ask(shapes, sql, "direct")
    assert len(answer.rows) > 2
    assert sorted(map(repr, answer.rows)) == sorted(map(repr, whole.rows))
    assert [row[1] for row in answer.rows] == [row[1] for row in whole.rows]


@pytest.mark.parametrize(("sql", "reason"), RUNS_WHOLE.items())
def test_a_shape_that_does_not_split_says_why(shapes: QueryService, sql: str, reason: str) -> None:
    answer = ask(shapes, sql)
    assert answer.mode == "direct"
    assert reason in answer.reason
    assert_equal(sql, answer, ask(shapes, sql, "direct"))


@pytest.mark.parametrize("engine", ["auto", "direct", "partitioned"])
def test_a_query_above_the_ceiling_of_cost_is_refused_with_its_estimate(
    shapes_reader: Database, engine: str
) -> None:
    service = service_over(shapes_reader, QuerySettings(max_query_cost=100_000))
    assert ask(service, "SELECT count(*) FROM a", "direct").rows == [("3000",)]
    sql = "SELECT count(*) FROM a, a AS b, a AS c"
    with pytest.raises(QueryTooCostly) as caught:
        ask(service, sql, engine)
    assert caught.value.cost > 100_000
    assert "100000" in str(caught.value) or "1e+05" in str(caught.value)
    with pytest.raises(QueryTooCostly):
        service.explain(QueryInput(sql, (), 30.0, 10, engine))  # type: ignore[arg-type]


def test_what_an_index_serves_runs_whole(shapes_reader: Database) -> None:
    service = service_over(shapes_reader, QuerySettings(min_fragment_cost=0.001))
    by_key = ask(service, "SELECT v FROM a WHERE id = 77")
    assert by_key.mode == "direct"
    assert "a fragment would cost" in by_key.reason
    assert ask(service, "SELECT n, count(*) FROM a GROUP BY n").mode == "partitioned"


def test_explain_tells_the_fragments_of_each_branch(shapes: QueryService) -> None:
    sql = "SELECT sum(x) FROM (SELECT id AS x FROM a UNION ALL SELECT count(*) FROM b GROUP BY k) u WHERE x > $1"
    plan = shapes.explain(QueryInput(sql, ("5",), 30.0, 10)).plan
    assert plan.table is not None
    assert plan.table.name == "a"
    assert [part.rows.partition(" ")[0] for part in plan.parts] == ["blocks"] * 3 + ["a"]
    assert plan.parts[-1].rows == "a branch as a whole"
    assert plan.parts[-1].params == ("5",)
    assert plan.parts[0].params[0] == "5"
    assert "WHERE FALSE" in plan.parts[0].sql


def test_a_parameter_cast_to_a_date_splits_unless_its_value_moves(shapes: QueryService) -> None:
    sql = "SELECT count(*) FROM events WHERE day < CAST($1 AS date)"
    fixed = shapes.run(QueryInput(sql, ("2024-02-11",), 30.0, 10))
    assert fixed.mode == "partitioned", fixed.reason
    assert fixed.rows == shapes.run(QueryInput(sql, ("2024-02-11",), 30.0, 10, "direct")).rows
    moving = shapes.run(QueryInput(sql, ("tomorrow",), 30.0, 10))
    assert moving.mode == "direct"
    assert "time of the transaction" in moving.reason

# ruff: noqa: E501 - SQL reads best on one line
"""Aggregates of every family: which split, which run whole and why, and always the same answer."""

from collections.abc import Iterator

import psycopg
import pytest

from app.queries.service import QueryService
from tests.integration.queries.test_exactness import ask, assert_equal

TABLES = """
CREATE TABLE odd (
    id int PRIMARY KEY, k int, one int, big bigint, tiny numeric, wide numeric, mixed numeric, scaled numeric(6,-2),
    special numeric, f double precision, short char(3), long char(5), gone text, bits bit(4), at inet, tz time with time zone,
    cash money, ids int[], doc json
);
INSERT INTO odd SELECT i, nullif(i % 7, 3), CASE WHEN i = 5 THEN 42 END,
    CASE i % 3 WHEN 0 THEN 9223372036854775807 WHEN 1 THEN -9223372036854775808 ELSE i END,
    ('0.' || repeat('0', 200) || i)::numeric, (repeat('9', 1000) || '.' || i % 10)::numeric,
    CASE i % 3 WHEN 0 THEN i WHEN 1 THEN i + 0.10 ELSE i + 0.1 END,
    i * 1000, CASE WHEN i = 100 THEN 'NaN'::numeric WHEN i = 300 THEN 'Infinity' ELSE i END, CASE WHEN i % 10 > 0 THEN i % 10 END,
    CASE WHEN i % 2 = 0 THEN 'a' END, CASE WHEN i % 3 = 0 THEN 'a' ELSE 'b' END, NULL, (i % 16)::bit(4),
    ('10.0.0.' || i % 5)::inet, '10:00+01'::timetz + i % 4 * interval '1 hour', (i % 9)::int::money, ARRAY[i % 3, NULL],
    json_build_object('i', i)
  FROM generate_series(1, 3000) AS i;
CREATE TABLE others (id int PRIMARY KEY, t_id int, weight numeric(8,3));
INSERT INTO others SELECT i, i * 2, i / 8.0 FROM generate_series(1, 50) AS i;
ANALYZE odd; ANALYZE others;
"""

SPLITS = [
    # count, sum, avg
    "SELECT sum(big), avg(big), sum(wide), avg(wide), avg(tiny), sum(scaled), avg(scaled), sum(cash) FROM odd",
    "SELECT count(one), sum(one), avg(one), count(gone), min(gone) FROM odd",
    "SELECT sum(special), avg(special) FROM odd",
    "SELECT count(*) FILTER (WHERE id < 0), sum(id) FILTER (WHERE id < 0), avg(id) FILTER (WHERE NULL) FROM odd",
    "SELECT sum(id ORDER BY k), count(ALL id), sum(ALL k) FROM odd",
    # min, max
    "SELECT min(bits::int), max(at), min(tz), max(cash), min(ids), max(f), min(short), max(long) FROM odd",
    "SELECT min(DISTINCT mixed), max(DISTINCT k) FROM odd WHERE id % 3 = 0",
    # stddev, variance
    "SELECT stddev(id), stddev_samp(big), stddev_pop(k), variance(big), var_samp(id), var_pop(big) FROM odd",
    "SELECT stddev(mixed), stddev_pop(wide), variance(scaled), var_samp(mixed), var_pop(wide) FROM odd",
    "SELECT var_pop(tiny), variance(tiny) FROM odd",
    "SELECT stddev(one), stddev_pop(one), variance(one), var_pop(one), stddev(mixed) FROM odd WHERE one IS NOT NULL OR id < 0",
    "SELECT stddev(id), stddev_pop(id), var_pop(gone::numeric) FROM odd WHERE id < 0",
    "SELECT k, stddev(mixed), variance(id) FILTER (WHERE id % 2 = 0), stddev_pop(1) FROM odd GROUP BY k ORDER BY k",
    "SELECT k, stddev(mixed) / avg(mixed) AS spread FROM odd GROUP BY k HAVING variance(mixed) > 1 ORDER BY stddev(mixed), k LIMIT 3",
    "SELECT id, stddev_samp(mixed), stddev_pop(mixed) FROM odd WHERE id < 9 GROUP BY id ORDER BY id",
    # logic and bits
    "SELECT bool_and(flag), bool_or(flag), every(n >= 0), bit_and(n), bit_or(small), bit_xor(big) FROM t",
    "SELECT grp, bool_and(flag) FILTER (WHERE id > 9), bit_xor(n) FROM t GROUP BY grp HAVING bool_or(flag) ORDER BY grp",
    "SELECT bool_and(flag), bit_and(n), bit_or(n) FROM t WHERE id < 0",
    "SELECT bool_or(DISTINCT flag), bit_or(DISTINCT n) FROM t",
    # DISTINCT inside
    "SELECT count(DISTINCT n), count(DISTINCT grp), count(*), sum(n) FROM t",
    "SELECT grp, count(DISTINCT n), sum(DISTINCT n), avg(DISTINCT big), min(n), avg(amount) FROM t GROUP BY grp ORDER BY grp",
    "SELECT count(DISTINCT n) FILTER (WHERE flag), count(DISTINCT n), count(*) FILTER (WHERE flag) FROM t",
    "SELECT count(DISTINCT v), count(DISTINCT free), count(DISTINCT span), count(DISTINCT list), count(DISTINCT doc) FROM t",
    "SELECT count(DISTINCT n), count(*), sum(n), avg(n), bool_or(flag) FROM t WHERE id < 0",
    "SELECT sum(DISTINCT amount), avg(DISTINCT amount), stddev(DISTINCT n), var_pop(DISTINCT amount) FROM t",
    "SELECT bit_xor(DISTINCT n), array_agg(DISTINCT n), string_agg(DISTINCT grp, ',' ORDER BY grp DESC) FROM t",
    "SELECT flag, array_agg(DISTINCT grp ORDER BY grp NULLS FIRST), jsonb_agg(DISTINCT m) FROM t GROUP BY flag ORDER BY flag",
    "SELECT count(DISTINCT gone), sum(DISTINCT one), count(DISTINCT one) FROM odd",
    "SELECT count(DISTINCT t.grp), count(DISTINCT s.label), sum(s.weight) FROM t LEFT JOIN s ON s.t_id = t.id",
    "SELECT sum(DISTINCT mixed) FROM odd WHERE id % 3 < 2",
    # with an order of their own
    "SELECT grp, array_agg(id ORDER BY id), string_agg(vc, ',' ORDER BY id DESC) FROM t WHERE id < 300 GROUP BY grp ORDER BY grp",
    "SELECT array_agg(n ORDER BY n), array_agg(grp ORDER BY grp NULLS FIRST), count(*), avg(amount), stddev(n), max(d) FROM t WHERE id < 90",
    "SELECT string_agg(grp, '; ' ORDER BY id) FILTER (WHERE flag), json_agg(free ORDER BY id), jsonb_agg(doc ORDER BY id) FROM t WHERE id < 40",
    "SELECT json_object_agg(id, amount ORDER BY id), jsonb_object_agg(vc || id, n ORDER BY id) FROM t WHERE id < 40",
    "SELECT json_agg(json_build_object('id', id, 'at', tz) ORDER BY id), string_agg(raw, '-' ORDER BY id) FROM t WHERE id < 40",
    "SELECT array_agg(span ORDER BY id), array_agg(v ORDER BY id), array_agg(m ORDER BY id), array_agg(ts ORDER BY id) FROM t WHERE id < 60",
    "SELECT array_agg(list ORDER BY id), array_agg(code ORDER BY id), array_agg(name_c ORDER BY name_c, id) FROM t WHERE id % 2 = 0 AND id < 60",
    "SELECT array_agg(id ORDER BY id), string_agg(grp, ',' ORDER BY id), json_agg(n ORDER BY id) FROM t WHERE id < 0",
    "SELECT json_agg(odd ORDER BY id) FROM odd WHERE id < 5",
    "SELECT array_agg(id ORDER BY id), string_agg(n::text, ',' ORDER BY id) FROM t WHERE id < 50 HAVING count(DISTINCT n) > 3",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n), percentile_disc(0.25) WITHIN GROUP (ORDER BY amount DESC) FROM t",
    "SELECT grp, percentile_disc(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY d), mode() WITHIN GROUP (ORDER BY n) FROM t GROUP BY grp ORDER BY grp",
    "SELECT mode() WITHIN GROUP (ORDER BY grp) FILTER (WHERE flag), percentile_cont(ARRAY[0, 0.3, 1]) WITHIN GROUP (ORDER BY free) FROM t",
    "SELECT rank(50) WITHIN GROUP (ORDER BY n), dense_rank(50) WITHIN GROUP (ORDER BY n DESC), percent_rank('g3') WITHIN GROUP (ORDER BY grp), "
    "cume_dist(7, 'g1') WITHIN GROUP (ORDER BY n, grp) FROM t",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f), mode() WITHIN GROUP (ORDER BY f) FROM odd",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n), mode() WITHIN GROUP (ORDER BY n) FROM t WHERE id < 0",
    "SELECT array_agg(n ORDER BY id), sum(DISTINCT n), count(DISTINCT grp), bool_or(flag), min(amount) FROM t WHERE id < 60",
    # grouping sets
    "SELECT grp, flag, count(*), sum(n) FROM t GROUP BY ROLLUP (grp, flag) ORDER BY grp, flag, 3",
    "SELECT grp, m, avg(amount), grouping(grp, m) FROM t GROUP BY CUBE (grp, m) ORDER BY 4, 1, 2",
    "SELECT grp, m, count(*) FROM t GROUP BY GROUPING SETS ((grp, m), (m), ()) ORDER BY grouping(grp), grouping(m), grp, m",
    "SELECT code, upper(grp) AS up, flag, max(d) FROM t GROUP BY code, ROLLUP (2, flag) HAVING grouping(flag) = 0 OR count(*) > 9 ORDER BY 1, 2, 3, 4",
    "SELECT grp, count(*), sum(n), avg(n) FROM t WHERE id < 0 GROUP BY ROLLUP (grp)",
    "SELECT grp, n % 2, count(DISTINCT n), sum(n) FROM t GROUP BY CUBE (grp, n % 2) ORDER BY grouping(grp, n % 2), 1, 2",
    "SELECT grp, array_agg(id ORDER BY id) FROM t WHERE id < 60 GROUP BY ROLLUP (grp) ORDER BY grouping(grp), grp",
    "SELECT grp, code, count(*) FROM t GROUP BY ROLLUP ((grp, code)), CUBE (flag) ORDER BY grp, code, 3",
    "SELECT n, stddev(n) FROM t GROUP BY ROLLUP (n) ORDER BY grouping(n), n LIMIT 20",
    "SELECT free, count(*) FROM t WHERE id % 4 = 0 GROUP BY ROLLUP (free)",
    "SELECT count(*) FROM t GROUP BY ()",
    # DISTINCT beside groups
    "SELECT DISTINCT count(*) FROM t GROUP BY grp ORDER BY 1",
    "SELECT DISTINCT flag, sum(n) > 100 AS many FROM t GROUP BY grp, flag ORDER BY flag, many",
    "SELECT DISTINCT max(n) FROM t",
    # HAVING and ORDER BY
    "SELECT grp FROM t GROUP BY grp HAVING sum(n) > avg(id) AND count(DISTINCT n) > 5 ORDER BY sum(n) * 2 - min(id) DESC, grp",
    "SELECT grp, CASE WHEN bool_and(flag) THEN 1 ELSE count(*) END FROM t GROUP BY grp ORDER BY coalesce(stddev(n), 0), grp LIMIT 4 OFFSET 1",
    # subqueries beside aggregates
    "SELECT grp, count(*), (SELECT max(weight) FROM others) FROM t GROUP BY grp ORDER BY grp",
    "SELECT grp, sum(n) / (SELECT count(*) FROM others WHERE weight > $1) FROM t GROUP BY grp HAVING sum(n) > (SELECT avg(weight) FROM others) ORDER BY grp",
    "SELECT n % 5, count(*) FROM t GROUP BY n % 5 HAVING n % 5 IN (SELECT o.id FROM others o) AND EXISTS (SELECT 1 FROM others WHERE t_id = 4) ORDER BY 1",
    # groups whose equal values do not look different after all
    "SELECT f, count(*) FROM odd GROUP BY f ORDER BY f",
    "SELECT span, count(*) FROM t WHERE id % 3 = 2 GROUP BY span",
    "SELECT v, count(*) FROM t WHERE v <> 0 GROUP BY v ORDER BY v",
    "SELECT min(f), max(f) FROM odd",
    "SELECT list, count(*) FROM t GROUP BY list ORDER BY list",
    "SELECT bits, at, tz, cash, count(*) FROM odd GROUP BY bits, at, tz, cash ORDER BY 1, 2, 3, 4 LIMIT 50",
    "SELECT doc, count(*) FROM t GROUP BY doc ORDER BY doc",
]

RUNS_WHOLE = {
    "SELECT stddev(v), variance(n) FROM t": "sum of floats",
    "SELECT sum(DISTINCT v) FROM t": "sum of floats",
    "SELECT array_agg(id ORDER BY id), sum(v) FROM t": "sum of floats",
    "SELECT sum(span) FROM t": "sums of interval",
    "SELECT stddev(special) FROM odd": "equal values",
    "SELECT var_pop(special), count(*) FROM odd WHERE special > 1000 OR id = 300": "equal values",
    "SELECT corr(n, id) FROM t": "corr",
    "SELECT regr_slope(n, id) FROM t": "regr_slope",
    "SELECT any_value(n) FROM t": "any_value",
    "SELECT array_agg(id) FROM t": "array_agg without ORDER BY",
    "SELECT string_agg(grp, ',') FROM t": "string_agg without ORDER BY",
    "SELECT jsonb_object_agg(id, n) FROM t": "jsonb_object_agg without ORDER BY",
    "SELECT array_agg(id ORDER BY n) FROM t": "equal values",
    "SELECT array_agg(free ORDER BY free) FROM t": "equal values",
    "SELECT mode() WITHIN GROUP (ORDER BY span) FROM t": "equal values",
    "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY free) FROM t": "equal values",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY v) FROM t": "equal values",
    "SELECT array_agg(DISTINCT free) FROM t": "equal values",
    "SELECT sum(DISTINCT free) FROM t": "equal values",
    "SELECT min(DISTINCT free) FROM t": "equal values",
    "SELECT min(span) FROM t": "interval",
    "SELECT min(coalesce(short, long)) FROM odd": "equal values",
    "SELECT span, count(*) FROM t GROUP BY span": "equal values",
    "SELECT v, count(*) FROM t GROUP BY v": "equal values",
    "SELECT DISTINCT min(free) FROM t GROUP BY id": "equal values",
    "SELECT bit_and(bits) FROM odd": "bit",
    "SELECT grp, count(*) FROM t GROUP BY ROLLUP (grp) ORDER BY grp LIMIT 20": "equal values",
    "SELECT count(DISTINCT (n, grp)) FROM t": "record",
    "SELECT sum((SELECT max(id) FROM others) + n) FROM t": "subquery inside sum",
    "SELECT grp, (SELECT max(o.id) FROM others o WHERE o.id > t.n) FROM t GROUP BY grp, n": "row around it",
    "SELECT n, count(*) FROM t GROUP BY n HAVING EXISTS (SELECT 1 FROM others WHERE others.id = n)": "merge failed",
    "WITH x AS (SELECT max(id) AS m FROM others) SELECT grp, (SELECT m FROM x) FROM t GROUP BY grp": "reads x",
    "SELECT grp, sum(v), rank() OVER (ORDER BY sum(v)) FROM t GROUP BY grp": "sum of floats",
    "SELECT count(*) FROM t GROUP BY ROLLUP ((SELECT 1))": "",
    "SELECT grp, count(*) FROM t GROUP BY DISTINCT ROLLUP (grp), ROLLUP (grp)": "GROUP BY DISTINCT",
    # a group in doubt that HAVING or LIMIT might hide
    "SELECT grp FROM t GROUP BY grp HAVING max(free)::text = '1000.00'": "equal values",
    "SELECT grp, max(id) FROM t WHERE free = 1 GROUP BY grp ORDER BY max(free)::text, grp LIMIT 1": "equal values",
    "SELECT free, v, max(id) FROM t WHERE v <> 0 GROUP BY free, v HAVING max(free) > 1 ORDER BY 2, 1 LIMIT 8 OFFSET 1": "equal values",
    "SELECT percentile_disc(n / 100.0) WITHIN GROUP (ORDER BY id) FROM t GROUP BY n": "percentile_disc",
}


@pytest.fixture(scope="module", autouse=True)
def tables(tables_url: str) -> Iterator[None]:
    """Tables for what is rare: one value, none, huge ones, NaN, scales below zero."""
    with psycopg.connect(tables_url, autocommit=True) as connection:
        for statement in TABLES.split(";\n"):
            connection.execute(statement.encode())
    yield
    with psycopg.connect(tables_url, autocommit=True) as connection:
        connection.execute("DROP TABLE odd, others")


def parameters(sql: str) -> tuple[str, ...]:
    return ("1.5",) if "$1" in sql else ()


@pytest.mark.parametrize("sql", SPLITS)
def test_an_aggregate_splits_and_is_what_postgresql_says(service: QueryService, sql: str) -> None:
    answer = ask(service, sql, "auto", parameters(sql))
    assert answer.mode == "partitioned", answer.reason
    assert answer.fragments > 1
    assert_equal(sql, answer, ask(service, sql, "direct", parameters(sql)))


@pytest.mark.parametrize(("sql", "reason"), RUNS_WHOLE.items())
def test_an_aggregate_that_may_differ_runs_whole(
    service: QueryService, sql: str, reason: str
) -> None:
    answer = ask(service, sql, "auto")
    assert answer.mode == "direct"
    assert reason in answer.reason
    assert_equal(sql, answer, ask(service, sql, "direct"))


def test_a_function_that_would_take_over_one_of_ours_keeps_queries_whole(
    service: QueryService, tables_url: str
) -> None:
    with psycopg.connect(tables_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION public.concat(interval) RETURNS text IMMUTABLE RETURN 'alike'"
        )
        try:
            answer = ask(service, "SELECT span, count(*) FROM t GROUP BY span", "auto")
        finally:
            connection.execute("DROP FUNCTION public.concat(interval)")
    assert answer.mode == "direct"
    assert "concat" in answer.reason

# ruff: noqa: E501 - SQL reads best on one line
"""PostgreSQL itself is the oracle: each query runs whole and split, and the answers are equal."""

import pytest

from app.queries.request import Answer, QueryInput
from app.queries.service import QueryService

SPLITS = [
    "SELECT count(*) FROM t",
    "SELECT count(amount), sum(n), sum(big), sum(small), min(n), max(big) FROM t",
    "SELECT avg(n), avg(big), avg(small), avg(amount), sum(amount) FROM t",
    "SELECT grp, count(*), sum(amount), avg(n) FROM t GROUP BY grp ORDER BY grp",
    "SELECT grp g, code, vc, max(d) FROM t GROUP BY g, 2, vc ORDER BY 1 DESC NULLS LAST, 2, 3",
    "SELECT upper(grp), n % 3 AS rest, count(*) FROM t GROUP BY upper(grp), n % 3 ORDER BY 1, 2",
    "SELECT grp, avg(amount) AS mean FROM t WHERE flag GROUP BY grp HAVING count(*) > 100 ORDER BY mean, grp",
    "SELECT grp, sum(n) * 2 + count(*) AS x FROM t GROUP BY grp ORDER BY sum(n) DESC, grp",
    "SELECT n, count(*) FROM t GROUP BY n ORDER BY n LIMIT 5 OFFSET 3",
    "SELECT name_c, count(*) FROM t GROUP BY name_c ORDER BY name_c",
    "SELECT min(name_c), max(name_c), min(grp), max(m), min(tz), max(ts), min(tm), max(raw) FROM t",
    "SELECT min(v), max(r) FROM t WHERE v > 0.1 AND v < 5",
    "SELECT m, flag, d, count(*) FILTER (WHERE n > 40), avg(n) FILTER (WHERE flag) FROM t "
    "WHERE d < '2024-02-01' GROUP BY m, flag, d ORDER BY m, flag, d",
    "SELECT DISTINCT grp, flag FROM t ORDER BY grp, flag",
    "SELECT DISTINCT n % 5 FROM t ORDER BY 1 DESC",
    "SELECT id, n, amount FROM t WHERE n > 90 ORDER BY id",
    "SELECT * FROM t WHERE id BETWEEN 100 AND 130 ORDER BY id",
    "SELECT id, v, r, free, span, doc, list FROM t WHERE n = 5 ORDER BY id DESC LIMIT 20",
    "SELECT n FROM t ORDER BY n LIMIT 10",
    "SELECT n, amount FROM t ORDER BY amount DESC NULLS LAST, n LIMIT 7 OFFSET 2",
    "SELECT id FROM t WHERE n < 3",
    "SELECT t.grp, s.label, sum(s.weight), count(*) FROM t JOIN s ON s.t_id = t.id "
    "GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT count(*), count(s.id), sum(s.weight) FROM t LEFT JOIN s ON s.t_id = t.id",
    "SELECT count(*), sum(t.n) FROM s RIGHT JOIN t ON s.t_id = t.id",
    "SELECT count(*) FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.t_id = t.id)",
    "SELECT count(*) FROM t WHERE id NOT IN (SELECT t_id FROM s)",
    "SELECT count(*) FROM t WHERE amount > (SELECT avg(weight) FROM s)",
    "SELECT grp, count(*) FROM t, s WHERE s.t_id = t.id GROUP BY grp ORDER BY count(*) DESC, grp LIMIT 3",
    "WITH heavy AS (SELECT t_id, weight FROM s WHERE weight > 50) "
    "SELECT count(*), max(heavy.weight) FROM t JOIN heavy ON heavy.t_id = t.id",
    "SELECT count(*) FROM t JOIN (SELECT t_id, count(*) c FROM s GROUP BY t_id) x ON x.t_id = t.id",
    "SELECT date_trunc('month', d), round(avg(amount), 1), sum(amount)/count(*) FROM t GROUP BY 1 ORDER BY 1",
    "SELECT CASE WHEN n > 50 THEN 'high' ELSE 'low' END AS level, count(*) FROM t GROUP BY level ORDER BY level",
    "SELECT coalesce(grp, '-'), count(*) FROM t GROUP BY coalesce(grp, '-') ORDER BY 1",
    "SELECT extract(year FROM d), count(*) FROM t GROUP BY 1 ORDER BY 1",
    "SELECT count(*), sum(n), max(grp), avg(n) FROM t WHERE id < 0",
    "SELECT grp, count(*) FROM t WHERE id < 0 GROUP BY grp",
    "SELECT max(amount * 2), min(amount + 1) FROM t",
    "SELECT t.id FROM t WHERE t.vc LIKE '%1' AND t.code IN ('A', 'B') ORDER BY t.id FETCH FIRST 4 ROWS ONLY",
    'SELECT x.n AS "Odd Name", count(*) AS "count" FROM public.t AS x GROUP BY x.n ORDER BY "count" DESC, 1',
    "SELECT 'all' AS which, count(*) FROM t GROUP BY 1",
    "SELECT sum(n) FROM t HAVING sum(n) > 10",
    "SELECT mod(n, 3), pow(2, count(*)) FROM t WHERE id < 9 GROUP BY mod(n, 3), 0 * n ORDER BY 1, 2",
]

RUNS_WHOLE = {
    "SELECT sum(v) FROM t": "order in which they are added",
    "SELECT grp, avg(r) FROM t GROUP BY grp": "order in which they are added",
    "SELECT id, row_number() OVER (ORDER BY id) FROM t": "window functions are not all",
    "SELECT id FROM t LIMIT 3": "LIMIT without ORDER BY",
    "SELECT grp, count(*) FROM t GROUP BY grp LIMIT 3": "LIMIT without ORDER BY",
    "SELECT count(*) FROM t WHERE d < current_date": "CURRENT_DATE",
    "SELECT count(*) FROM t WHERE tz < now()": "function now",
    "SELECT count(*) FROM t WHERE tz < 'today'": "today",
    "SELECT count(*) FROM t WHERE random() < 2": "function random",
    "SELECT free, count(*) FROM t GROUP BY free": "equal values",
    "SELECT min(v) FROM t WHERE v <= 0 AND v > -0.05": "equal values",
    "SELECT id, grp FROM t ORDER BY grp LIMIT 3": "equal values",
    "SELECT grp, count(*) > 0 AS c FROM t GROUP BY grp ORDER BY c LIMIT 2": "equal values",
    "SELECT count(*) FROM t FULL JOIN s ON s.t_id = t.id": "outer joins",
    "SELECT count(*) FROM secured": "row security",
    "SELECT 1": "reads none",
    "VALUES (1, 'a'), (2, NULL)": "VALUES",
    "SELECT count(*) FROM (SELECT id FROM t LIMIT 10) x": "LIMIT inside",
    "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 5) "
    "SELECT count(*) FROM t JOIN r ON r.i = t.id": "recursive",
    "SELECT count(*) FROM t WHERE v > (SELECT avg(v) FROM t)": "sum of floats",
    "SELECT n FROM t GROUP BY id": "neither grouped by nor aggregated",
}


def ask(
    service: QueryService, sql: str, engine: str, params: tuple[str | None, ...] = ()
) -> Answer:
    return service.run(QueryInput(sql, params, 30.0, 10_000, engine))  # type: ignore[arg-type]


def assert_equal(sql: str, got: Answer, whole: Answer) -> None:
    assert got.columns == whole.columns
    assert got.types == whole.types
    if "ORDER BY" in sql:
        assert got.rows == whole.rows
    else:
        assert sorted(map(repr, got.rows)) == sorted(map(repr, whole.rows))


@pytest.mark.parametrize("sql", SPLITS)
def test_a_split_query_answers_as_postgresql_does(service: QueryService, sql: str) -> None:
    answer = ask(service, sql, "auto")
    assert answer.mode == "partitioned", answer.reason
    assert answer.fragments > 1
    assert_equal(sql, answer, ask(service, sql, "direct"))


@pytest.mark.parametrize(("sql", "reason"), RUNS_WHOLE.items())
def test_what_cannot_split_runs_whole_and_says_why(
    service: QueryService, sql: str, reason: str
) -> None:
    answer = ask(service, sql, "auto")
    assert answer.mode == "direct"
    assert reason in answer.reason
    assert_equal(sql, answer, ask(service, sql, "direct"))

# ruff: noqa: E501 - SQL reads best on one line
"""The features of SQL, by example: which split, and why the others run whole.

`python -m tests.oracle.features` writes them as the table of docs/features.md.
"""

from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "features.md"
INTRODUCTION = """# What splits, feature by feature

Each row is a test: the query runs split and whole in one snapshot, while rows change, and the
answers are equal. What runs whole is answered as well, by PostgreSQL alone, and says why.
[Queries](queries.md) tells how. The tables are those of `tests/oracle/schema.py`.
"""


@dataclass(frozen=True)
class Feature:
    """One feature; `reason` is a part of why it runs whole, empty where it splits."""

    group: str
    name: str
    sql: str
    reason: str = ""


FEATURES = (
    Feature("Aggregates", "`count(*)`, `count(x)`", "SELECT count(*), count(t.num2) FROM t"),
    Feature("Aggregates", "`sum` of integers and numeric", "SELECT sum(t.i2), sum(t.i4), sum(t.i8), sum(t.num2) FROM t"),
    Feature("Aggregates", "`sum` of intervals", "SELECT sum(t.iv) FROM t", "sums of interval are not split"),
    Feature("Aggregates", "`sum`, `avg` of floats", "SELECT sum(t.f8), avg(t.f4) FROM t", "a sum of floats depends on the order"),
    Feature("Aggregates", "`avg` of integers and numeric", "SELECT avg(t.i4), avg(t.i8), avg(t.num2) FROM t"),
    Feature("Aggregates", "`min`, `max`", "SELECT min(t.i4), max(t.num2), min(t.d), max(t.tx), max(t.m) FROM t"),
    Feature("Aggregates", "`min`, `max` of numeric without scale", "SELECT max(t.num), min(t.num) FROM t", "equal values decide the answer"),
    Feature("Aggregates", "`stddev`, `variance` and their kin, integers and numeric", "SELECT stddev(t.i4), stddev_pop(t.num2), stddev_samp(t.i8), variance(t.num2), var_pop(t.i2), var_samp(t.i4) FROM t"),
    Feature("Aggregates", "`stddev`, `variance` of floats", "SELECT stddev(t.f8), var_pop(t.f4) FROM t", "a sum of floats depends on the order"),
    Feature("Aggregates", "`bool_and`, `bool_or`, `every`", "SELECT bool_and(t.b), bool_or(t.b), every(t.i4 > 0) FROM t"),
    Feature("Aggregates", "`bit_and`, `bit_or`, `bit_xor`", "SELECT bit_and(t.i4), bit_or(t.i2), bit_xor(t.i8) FROM t"),
    Feature("Aggregates", "`count(DISTINCT x)`", "SELECT t.b, count(DISTINCT t.i4) FROM t GROUP BY t.b"),
    Feature("Aggregates", "`sum(DISTINCT x)`, `avg(DISTINCT x)`", "SELECT sum(DISTINCT t.i2), avg(DISTINCT t.num2) FROM t"),
    Feature("Aggregates", "`FILTER (WHERE …)`", "SELECT count(*) FILTER (WHERE t.i4 > 20), sum(t.i4) FILTER (WHERE t.b) FROM t"),
    Feature("Aggregates", "`array_agg(x ORDER BY …)`, total order", "SELECT t.m, array_agg(t.i4 ORDER BY t.id) FROM t GROUP BY t.m"),
    Feature("Aggregates", "`array_agg(x ORDER BY x)`", "SELECT array_agg(t.i2 ORDER BY t.i2) FROM t"),
    Feature("Aggregates", "`array_agg(x ORDER BY …)`, ties", "SELECT array_agg(t.id ORDER BY t.b) FROM t", "equal values decide the answer"),
    Feature("Aggregates", "`array_agg(x)` without order", "SELECT array_agg(t.i4) FROM t", "array_agg without ORDER BY depends on the order of rows"),
    Feature("Aggregates", "`string_agg(x, ',' ORDER BY …)`", "SELECT t.b, string_agg(t.vc, ',' ORDER BY t.id) FROM t GROUP BY t.b"),
    Feature("Aggregates", "`json_agg`, `jsonb_agg` with `ORDER BY`", "SELECT json_agg(t.i4 ORDER BY t.id), jsonb_agg(t.vc ORDER BY t.id) FROM t"),
    Feature("Aggregates", "`json_object_agg`", "SELECT json_object_agg(t.id, t.i4 ORDER BY t.id) FROM t"),
    Feature("Aggregates", "`percentile_cont`", "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t.i4) FROM t"),
    Feature("Aggregates", "`percentile_disc`", "SELECT t.b, percentile_disc(0.9) WITHIN GROUP (ORDER BY t.num2) FROM t GROUP BY t.b"),
    Feature("Aggregates", "`mode`", "SELECT mode() WITHIN GROUP (ORDER BY t.i2) FROM t"),
    Feature("Aggregates", "`corr`, `regr_…`", "SELECT corr(t.i4, t.i2) FROM t", "the function corr is not known to be safe in fragments"),
    Feature("Aggregates", "`any_value`", "SELECT any_value(t.i4) FROM t", "the function any_value is not known to be safe in fragments"),
    Feature("Aggregates", "expressions of aggregates", "SELECT round(sum(t.num2) / count(*), 2), CASE WHEN count(*) > 9 THEN max(t.i4) END FROM t"),
    Feature("Groups", "`GROUP BY` columns, positions, names, expressions", "SELECT t.tx AS g, upper(t.vc), t.i4 % 3, count(*) FROM t GROUP BY g, upper(t.vc), 3"),
    Feature("Groups", "by text in a deterministic collation", "SELECT t.tc, t.tl, count(*) FROM t GROUP BY t.tc, t.tl"),
    Feature("Groups", "by numeric with a scale", "SELECT t.num2, count(*) FROM t GROUP BY t.num2"),
    Feature("Groups", "by numeric without scale, whose texts differ", "SELECT t.num, count(*) FROM t GROUP BY t.num", "equal values decide the answer"),
    Feature("Groups", "by `char(n)`", "SELECT t.ch, count(*) FROM t GROUP BY t.ch"),
    Feature("Groups", "by enum, date, time, timestamp, uuid, bytea, boolean", "SELECT t.m, t.d, t.tm, t.tz, t.u, t.raw, t.b, count(*) FROM t GROUP BY t.m, t.d, t.tm, t.tz, t.u, t.raw, t.b"),
    Feature("Groups", "by interval", "SELECT t.iv, count(*) FROM t GROUP BY t.iv", "equal values decide the answer"),
    Feature("Groups", "by float", "SELECT t.f8, count(*) FROM t GROUP BY t.f8"),
    Feature("Groups", "by jsonb", "SELECT t.jb, count(*) FROM t GROUP BY t.jb"),
    Feature("Groups", "by arrays", "SELECT t.ia, count(*) FROM t GROUP BY t.ia"),
    Feature("Groups", "`ROLLUP`", "SELECT t.b, t.m, sum(t.i4) FROM t GROUP BY ROLLUP (t.b, t.m)"),
    Feature("Groups", "`CUBE` with `GROUPING()`", "SELECT t.b, t.m, GROUPING(t.b, t.m), count(*) FROM t GROUP BY CUBE (t.b, t.m)"),
    Feature("Groups", "`GROUPING SETS`", "SELECT t.b, t.m, avg(t.num2) FROM t GROUP BY GROUPING SETS ((t.b), (t.m), ())"),
    Feature("Groups", "`HAVING` over aggregates", "SELECT t.tx, sum(t.i4) FROM t GROUP BY t.tx HAVING count(*) > 9 AND avg(t.num2) > 0"),
    Feature("Groups", "`ORDER BY` over aggregates", "SELECT t.tx, count(*) FROM t GROUP BY t.tx ORDER BY sum(t.i4) * 2 DESC NULLS LAST, t.tx"),
    Feature("Groups", "top groups, total order", "SELECT t.i4, count(*) AS c FROM t GROUP BY t.i4 ORDER BY c DESC, t.i4 LIMIT 5 OFFSET 2"),
    Feature("Groups", "top groups, ties at the edge", "SELECT t.d, count(*) AS c FROM t GROUP BY t.d ORDER BY c DESC LIMIT 5", "equal values decide the answer"),
    Feature("Groups", "`LIMIT` without `ORDER BY`", "SELECT t.i4, count(*) FROM t GROUP BY t.i4 LIMIT 5", "LIMIT without ORDER BY may pick any rows"),
    Feature("Groups", "`DISTINCT`", "SELECT DISTINCT t.tx, t.b FROM t"),
    Feature("Groups", "`DISTINCT ON`, total order", "SELECT DISTINCT ON (t.tx) t.tx, t.i4, t.id FROM t ORDER BY t.tx, t.id"),
    Feature("Groups", "`DISTINCT ON`, ties", "SELECT DISTINCT ON (t.tx) t.tx, t.id FROM t ORDER BY t.tx, t.b", "DISTINCT ON may pick any of the rows that tie"),
    Feature("Rows and order", "filtered rows", "SELECT t.id, t.f8, t.js, t.ia FROM t WHERE t.i4 > 50"),
    Feature("Rows and order", "`ORDER BY` with `NULLS FIRST`, `DESC`", "SELECT t.id, t.d FROM t WHERE t.b ORDER BY t.d DESC NULLS LAST, t.id"),
    Feature("Rows and order", "`ORDER BY` an expression that is not shown", "SELECT t.vc FROM t ORDER BY t.i4 * -1, t.id"),
    Feature("Rows and order", "top rows by primary key: `LIMIT`, `OFFSET`", "SELECT t.id, t.tx FROM t ORDER BY t.id LIMIT 10 OFFSET 3"),
    Feature("Rows and order", "`FETCH FIRST n ROWS ONLY`", "SELECT t.i4, t.id FROM t ORDER BY t.i4, t.id FETCH FIRST 5 ROWS ONLY"),
    Feature("Rows and order", "`FETCH … WITH TIES`", "SELECT t.i4 FROM t ORDER BY t.i4 FETCH FIRST 5 ROWS WITH TIES"),
    Feature("Rows and order", "top rows, ties that differ", "SELECT t.id, t.b FROM t ORDER BY t.b LIMIT 5", "equal values decide the answer"),
    Feature("Rows and order", "`LIMIT` without `ORDER BY`", "SELECT t.id FROM t LIMIT 5", "LIMIT without ORDER BY may pick any rows"),
    Feature("Rows and order", "`LIMIT` of an expression", "SELECT t.id FROM t ORDER BY t.id LIMIT 2 + 3", "LIMIT and OFFSET are split only when they are plain numbers"),
    Feature("Rows and order", "parameters `$1 …`", "SELECT t.tx, count(*) FROM t WHERE t.i4 > $1 AND t.tx <> $2 GROUP BY t.tx"),
    Feature("Joins", "inner", "SELECT s.label, count(*), sum(t.num2) FROM t JOIN s ON s.t_id = t.id GROUP BY s.label"),
    Feature("Joins", "left", "SELECT count(*), count(s.id) FROM t LEFT JOIN s ON s.t_id = t.id"),
    Feature("Joins", "right", "SELECT count(*), count(s.id) FROM s RIGHT JOIN t ON s.t_id = t.id"),
    Feature("Joins", "left, from the smaller side", "SELECT count(*), count(t.id) FROM s LEFT JOIN t ON s.t_id = t.id"),
    Feature("Joins", "full", "SELECT count(*) FROM t FULL JOIN s ON s.t_id = t.id", "outer joins add rows to all of them"),
    Feature("Joins", "cross", "SELECT count(*) FROM t CROSS JOIN one"),
    Feature("Joins", "`USING`", "SELECT count(*), sum(w) FROM t JOIN (SELECT id, w FROM s) AS x USING (id)"),
    Feature("Joins", "`NATURAL`", "SELECT count(*), sum(w) FROM t NATURAL JOIN (SELECT id, w FROM s) AS x"),
    Feature("Joins", "`LATERAL`", "SELECT count(*), sum(x.w) FROM t CROSS JOIN LATERAL (SELECT s.w FROM s WHERE s.t_id = t.id) AS x"),
    Feature("Joins", "`LATERAL … LIMIT` in a total order", "SELECT count(*), sum(x.w) FROM t LEFT JOIN LATERAL (SELECT s.w FROM s WHERE s.i4 = t.i4 ORDER BY s.id LIMIT 2) AS x ON true", "a LIMIT inside the query may pick other rows in each fragment"),
    Feature("Joins", "semi: `EXISTS`, `IN`, `= ANY`", "SELECT count(*) FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.t_id = t.id) AND t.i4 IN (SELECT s.i4 FROM s)"),
    Feature("Joins", "anti: `NOT EXISTS`, `NOT IN`", "SELECT count(*) FROM t WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.t_id = t.id)"),
    Feature("Joins", "a table with itself", "SELECT count(*) FROM t AS a JOIN t AS b ON b.id = a.i4"),
    Feature("Joins", "three tables", "SELECT count(*), sum(s.w) FROM t JOIN s ON s.t_id = t.id LEFT JOIN skew ON skew.id = s.id"),
    Feature("Subqueries and set operations", "uncorrelated scalar subquery", "SELECT count(*) FROM t WHERE t.num2 > (SELECT avg(s.w) FROM s)"),
    Feature("Subqueries and set operations", "correlated scalar subquery in `WHERE`", "SELECT count(*) FROM t WHERE t.i4 > (SELECT count(*) FROM s WHERE s.t_id = t.id)"),
    Feature("Subqueries and set operations", "scalar subquery in the output of rows", "SELECT t.id, (SELECT max(s.w) FROM s WHERE s.t_id = t.id) FROM t WHERE t.i4 < 20"),
    Feature("Subqueries and set operations", "scalar subquery beside aggregates", "SELECT count(*), (SELECT max(s.w) FROM s) FROM t"),
    Feature("Subqueries and set operations", "rows in `FROM (SELECT …)`", "SELECT x.g, count(*) FROM (SELECT upper(t.tx) AS g FROM t WHERE t.i4 > 5) AS x GROUP BY x.g"),
    Feature("Subqueries and set operations", "groups in `FROM (SELECT …)`, by a column", "SELECT count(*), max(x.c) FROM (SELECT t.i4, count(*) AS c FROM t GROUP BY t.i4) AS x"),
    Feature("Subqueries and set operations", "groups in `FROM (SELECT …)`, by expressions", "SELECT count(*), max(x.c) FROM (SELECT t.i4 % 9 AS g, count(*) AS c FROM t GROUP BY t.i4 % 9) AS x", "no table in it can be split"),
    Feature("Subqueries and set operations", "`LIMIT` in `FROM (SELECT …)`", "SELECT count(*) FROM (SELECT t.id FROM t ORDER BY t.id LIMIT 10) AS x", "a LIMIT inside the query may pick other rows in each fragment"),
    Feature("Subqueries and set operations", "`WITH` of rows", "WITH x AS (SELECT t.tx AS g, t.i4 FROM t WHERE t.b) SELECT x.g, sum(x.i4) FROM x GROUP BY x.g"),
    Feature("Subqueries and set operations", "`WITH` beside the split table", "WITH x AS (SELECT s.t_id FROM s WHERE s.w > 20) SELECT count(*) FROM t JOIN x ON x.t_id = t.id"),
    Feature("Subqueries and set operations", "`WITH … AS MATERIALIZED`", "WITH x AS MATERIALIZED (SELECT t.tx AS g FROM t) SELECT x.g, count(*) FROM x GROUP BY x.g"),
    Feature("Subqueries and set operations", "`WITH RECURSIVE`", "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 5) SELECT count(*) FROM t JOIN r ON r.i = t.id", "recursive queries are not split"),
    Feature("Subqueries and set operations", "`UNION ALL`", "SELECT t.id, t.i4 FROM t WHERE t.b UNION ALL SELECT s.id, s.i4 FROM s"),
    Feature("Subqueries and set operations", "aggregates over `UNION ALL`", "SELECT x.i4, count(*) FROM (SELECT t.i4 FROM t UNION ALL SELECT s.i4 FROM s) AS x GROUP BY x.i4"),
    Feature("Subqueries and set operations", "`UNION`", "SELECT t.i4 FROM t UNION SELECT s.i4 FROM s"),
    Feature("Subqueries and set operations", "`INTERSECT`, `EXCEPT`", "SELECT t.i4 FROM t EXCEPT SELECT s.i4 FROM s", "EXCEPT is not known to be safe in fragments"),
    Feature("Subqueries and set operations", "`VALUES`", "VALUES (1, 'a'), (2, NULL)", "set operations but UNION, and VALUES, are not split"),
    Feature("Subqueries and set operations", "no table at all", "SELECT 1 + 1 AS two", "it reads none"),
    Feature("Window functions", "over partitions by a column", "SELECT t.id, sum(t.i4) OVER (PARTITION BY t.tx ORDER BY t.id), rank() OVER (PARTITION BY t.tx ORDER BY t.d) FROM t"),
    Feature("Window functions", "`row_number`, `lag`, `lead`, `ntile`, `first_value`, `nth_value`, total order", "SELECT t.id, row_number() OVER w, lag(t.f8) OVER w, ntile(3) OVER w, first_value(t.iv) OVER w FROM t WINDOW w AS (PARTITION BY t.i2 ORDER BY t.id)"),
    Feature("Window functions", "the same, where rows tie", "SELECT t.id, row_number() OVER (PARTITION BY t.i2 ORDER BY t.b) FROM t", "equal values decide the answer"),
    Feature("Window functions", "frames: `ROWS`, `RANGE`, `GROUPS`, `EXCLUDE`", "SELECT t.id, sum(t.i4) OVER (PARTITION BY t.i2 ORDER BY t.id ROWS 2 PRECEDING), count(*) OVER (PARTITION BY t.i2 ORDER BY t.d RANGE BETWEEN interval '9 days' PRECEDING AND CURRENT ROW), count(*) OVER (PARTITION BY t.i2 ORDER BY t.d GROUPS 1 PRECEDING EXCLUDE TIES) FROM t"),
    Feature("Window functions", "over joins, partitioned by the split table", "SELECT s.label, count(*) OVER (PARTITION BY t.i4) FROM t JOIN s ON s.t_id = t.id"),
    Feature("Window functions", "top rows of each partition", "SELECT x.i2, x.id FROM (SELECT t.i2, t.id, row_number() OVER (PARTITION BY t.i2 ORDER BY t.d DESC, t.id) AS r FROM t) AS x WHERE x.r <= 2"),
    Feature("Window functions", "inside, where rows may tie", "SELECT count(*) FROM (SELECT row_number() OVER (PARTITION BY t.i2 ORDER BY t.d) AS r FROM t) AS x WHERE x.r = 1", "row_number inside the query may depend on the order of rows that tie"),
    Feature("Window functions", "over all rows", "SELECT t.id, row_number() OVER (ORDER BY t.id) FROM t", "its window functions are not all over partitions by a plain column"),
    Feature("Window functions", "over partitions by different columns", "SELECT t.id, count(*) OVER (PARTITION BY t.tx), count(*) OVER (PARTITION BY t.i2) FROM t", "its window functions are not all over partitions by a plain column"),
    Feature("Window functions", "sums of floats", "SELECT t.id, sum(t.f8) OVER (PARTITION BY t.tx ORDER BY t.id) FROM t", "a sum in a window may be one of floats"),
    Feature("Window functions", "over groups", "SELECT t.tx, count(*), rank() OVER (ORDER BY count(*) DESC), sum(count(*)) OVER (ORDER BY t.tx) FROM t GROUP BY t.tx"),
    Feature("Window functions", "over groups that tie", "SELECT t.d, row_number() OVER (ORDER BY count(*)) FROM t GROUP BY t.d", "equal values decide the answer"),
    Feature("Window functions", "beside `DISTINCT`", "SELECT DISTINCT t.tx, count(*) OVER (PARTITION BY t.tx) FROM t", "DISTINCT beside window functions is not split"),
    Feature("Kinds of tables", "ordinary, also after deletes, updates, dropped columns", "SELECT shrunk.tx, count(*), sum(shrunk.num) FROM shrunk GROUP BY shrunk.tx"),
    Feature("Kinds of tables", "nearly all values null", "SELECT nully.i4, count(nully.num), max(nully.d) FROM nully GROUP BY nully.i4"),
    Feature("Kinds of tables", "very skewed", "SELECT skew.k, count(*), sum(skew.v) FROM skew GROUP BY skew.k"),
    Feature("Kinds of tables", "empty", "SELECT count(*), sum(empty.i4) FROM empty"),
    Feature("Kinds of tables", "of one row", "SELECT count(*), max(one.num) FROM one"),
    Feature("Kinds of tables", "partitioned, in two levels", "SELECT parted.tx, count(*), sum(parted.num) FROM parted GROUP BY parted.tx"),
    Feature("Kinds of tables", "with inheritance children", "SELECT parent.tx, count(*) FROM parent GROUP BY parent.tx"),
    Feature("Kinds of tables", "`ONLY`", "SELECT count(*) FROM ONLY parent", "no table in it can be split"),
    Feature("Kinds of tables", "view of rows", "SELECT seen.tx, sum(seen.num) FROM seen GROUP BY seen.tx"),
    Feature("Kinds of tables", "view of groups, by a column", "SELECT count(*), max(summed.i8) FROM summed"),
    Feature("Kinds of tables", "materialized view", "SELECT kept.tx, count(*) FROM kept GROUP BY kept.tx"),
    Feature("Kinds of tables", "row-level security", "SELECT count(*) FROM secured", "row security"),
    Feature("Kinds of tables", "function in `FROM`", "SELECT count(*) FROM generate_series(1, 1000) AS g", "no table in it can be split"),
    Feature("Kinds of tables", "`TABLESAMPLE`", "SELECT count(*) FROM t TABLESAMPLE BERNOULLI (50) REPEATABLE (1)", "TABLESAMPLE is not known to be safe in fragments"),
    Feature("Expressions", "`CASE`, `COALESCE`, `NULLIF`, `GREATEST`, casts", "SELECT CASE WHEN t.i4 > 50 THEN 'high' ELSE coalesce(t.vc, '-') END, sum(nullif(t.i4, 7)::bigint), max(greatest(t.i2, t.i4)) FROM t GROUP BY 1"),
    Feature("Expressions", "`LIKE`, regular expressions", "SELECT count(*) FROM t WHERE t.tx LIKE 'g%' AND t.vc ~ '^x[0-5]'"),
    Feature("Expressions", "arrays, `ANY`", "SELECT count(*) FROM t WHERE 1 = ANY (t.ia) OR t.i4 = ANY (ARRAY[1, 2])"),
    Feature("Expressions", "json and jsonb operators", "SELECT t.jb ->> 'k', count(*) FROM t WHERE t.jb @> '{\"k\": 1}' GROUP BY 1"),
    Feature("Expressions", "dates: `extract`, `date_trunc`, intervals", "SELECT extract(year FROM t.d), date_trunc('month', t.ts), count(*) FROM t WHERE t.d > date '2024-02-01' - interval '7 days' GROUP BY 1, 2"),
    Feature("Expressions", "set-returning functions in the output", "SELECT unnest(t.ia) FROM t", "the function unnest is not known to be safe in fragments"),
    Feature("Expressions", "`now()`, `current_date`", "SELECT count(*) FROM t WHERE t.d < current_date", "CURRENT_DATE is not known to be safe in fragments"),
    Feature("Expressions", "`'today'`, `'now'`", "SELECT count(*) FROM t WHERE t.d < 'today'", "'today' may mean the time of the transaction"),
    Feature("Expressions", "`random()` and other volatile functions", "SELECT count(*) FROM t WHERE random() < 2", "the function random is not known to be safe in fragments"),
    Feature("Expressions", "`ctid`, `tableoid` and other system columns", "SELECT t.ctid, t.id FROM t WHERE t.i4 = 5"),
    Feature("Expressions", "whole rows", "SELECT t FROM t WHERE t.i4 = 5"),
)  # fmt: skip


def document() -> str:
    """Return docs/features.md."""
    lines = [INTRODUCTION]
    for group in dict.fromkeys(feature.group for feature in FEATURES):
        lines += [f"## {group}", "", "| feature | | example |", "| --- | --- | --- |"]
        for feature in FEATURES:
            if feature.group == group:
                way = f"whole: {feature.reason}" if feature.reason else "splits"
                example = feature.sql.replace("|", "\\|")
                name = feature.name.replace("|", "\\|")
                lines.append(f"| {name} | {way} | `{example}` |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    DOCUMENT.write_text(document())

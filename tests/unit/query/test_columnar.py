"""What is rendered for DuckDB, and what is refused with which reason."""

import pytest
from sqlglot import exp

from query.columnar.context import Parameter
from query.columnar.errors import NotColumnar
from query.columnar.facts import ColumnFact, TableFact
from query.columnar.kinds import kind_of
from query.columnar.render import ColumnarQuery, render_columnar
from query.cuts import PLACE
from query.dialect import DIALECT
from query.statement import TableName
from query.types import BPCHAR, FLOAT8, INT4, INT8, JSON, NUMERIC, TEXT, TypeFact

NUMERIC_12_2 = (12 << 16 | 2) + 4
COLUMNS = {
    "a": ColumnFact(INT4), "b": ColumnFact(INT8), "n": ColumnFact(NUMERIC, NUMERIC_12_2),
    "bytes": ColumnFact(TEXT, -1, "C", bytewise=True), "words": ColumnFact(TEXT, -1, "de"),
    "folded": ColumnFact(TEXT, -1, "any", deterministic=False), "f": ColumnFact(FLOAT8),
    "free": ColumnFact(NUMERIC), "j": ColumnFact(JSON), "ch": ColumnFact(BPCHAR, 8, "C"),
}  # fmt: skip
TABLES = {TableName(None, "t"): TableFact(COLUMNS)}


def parsed(sql: str) -> exp.Select:
    (tree,) = DIALECT.parse(sql)
    assert isinstance(tree, exp.Select)
    return tree


def rendered(sql: str, *parameters: Parameter) -> ColumnarQuery:
    return render_columnar(parsed(sql), TABLES, parameters)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("free + 1", "not kept in segments"),
        ("j", "not kept in segments"),
        ("folded = 'a'", "not kept in segments"),
        ("nothing", "not a column"),
        ("words < 'b'", "order"),
        ("max(words)", "order"),
        ("max(a::text)", "order"),
        ("max(CASE WHEN a > 1 THEN 'a' ELSE 'B' END)", "order"),
        ("greatest(words, 'a')", "order"),
        ("upper(words)", "a matter of the collation"),
        ("words = bytes", "different collations"),
        ("n / 2", "scale of a quotient"),
        ("n % 2", "remainders"),
        ("f + 1", "mixes"),
        ("f * f", "arithmetic of float8"),
        ("sum(f)", "sums of float8"),
        ("f", "text of floats"),
        ("n = f", "mixes"),
        ("bytes LIKE 'a\\b%'", "without a backslash"),
        ("bytes LIKE bytes", "constant patterns"),
        ("bytes LIKE 'a' ESCAPE '!'", "not on the list"),
        ("bytes ILIKE 'a'", "not on the list"),
        ("bytes ~ 'a'", "not on the list"),
        ("ch LIKE 'a%'", "for text alone"),
        ("ch || 'x'", "only text"),
        ("substring(bytes, 0, 2)", "from 1 on"),
        ("substring(bytes, a)", "constant places"),
        ("a << 1", "not on the list"),
        ("a > 1 AND 5 / a > 1", "may raise an error"),
        ("a IN (1, 5 / a)", "may raise an error"),
        ("count(*) FILTER (WHERE 5 / a > 1)", "may raise an error"),
        ("a = ANY (ARRAY[1])", "ANY and ALL"),
        ("sum(a) OVER ()", "not on the list"),
        ("now()", "not on the list"),
        ("random()", "not on the list"),
        ("a::char(3)", "not on the list"),
        ("n::numeric(50,2)", "too many digits"),
        ("date '2024-02-30'", "plain form"),
        ("date 'today'", "plain form"),
        ("timestamp '2024-01-01 10:00+02'", "plain form"),
        ("interval '1 day'", "not on the list"),
        ("date '2024-01-01' + interval '1 day 2 hours'", "intervals"),
        ("date '9999-12-31' + 1", "beyond the year 9999"),
        ("(a, b) IN ((1, 2))", "not on the list"),
        ("coalesce(NULL, NULL)", "type"),
        ("greatest('a', 'b')", "order"),
        ("'unknown'", "type"),
        ("array_agg(a)", "not on the list"),
        ("string_agg(bytes, ',')", "not on the list"),
        ("(SELECT a FROM t AS o)", "exactly one row|one row"),
        ("(SELECT max(a) FROM t AS o GROUP BY b)", "one row"),
        ("EXISTS (SELECT max(a) FROM t AS o)", "always has a row"),
        ("n IN (SELECT o.a FROM t AS o)", "one type"),
    ],
)
def test_what_is_not_on_the_list_is_refused_with_its_reason(expression: str, why: str) -> None:
    with pytest.raises(NotColumnar, match=why):
        rendered(f"SELECT {expression} FROM t")


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT a FROM other", "no segments"),
        ("SELECT 1", "reads nothing"),
        ("SELECT a FROM t AS x, t AS x", "one name"),
        ("SELECT a FROM t AS x JOIN t AS y USING (a)", "'using'"),
        ("SELECT x.a FROM t AS x NATURAL JOIN t AS y", "'method'"),
        ("SELECT a FROM t AS x, t AS y", "more than one table"),
        ("SELECT a FROM t LIMIT 5", "LIMIT"),
        ("SELECT a FROM t ORDER BY a LIMIT 5 OFFSET 1", "LIMIT"),
        ("SELECT x.a FROM (SELECT a FROM t ORDER BY a LIMIT 5) AS x", "LIMIT"),
        ("SELECT DISTINCT ON (a) a FROM t", "'on'"),
        ("SELECT a FROM t GROUP BY ROLLUP (a)", "not on the list"),
        ("SELECT a FROM t TABLESAMPLE SYSTEM (10)", "not on the list"),
        ("SELECT x.c FROM t AS x (c)", "other names"),
        ("SELECT x.s FROM (SELECT a + 1 AS s FROM t) AS x", "may raise an error"),
        ("SELECT a FROM t WHERE a + 1 > 2 AND b > 1", "may raise an error"),
        ("SELECT x.a FROM t AS x, t AS y WHERE x.a + 1 > 2", "may raise an error"),
        ("SELECT x.a FROM t AS x JOIN t AS y ON x.a + 1 = y.a", "may raise an error"),
        ("SELECT count(*) FROM t HAVING max(a) + 1 > 2", "may raise an error"),
        ("SELECT f FROM t GROUP BY f", "look different"),
        ("SELECT coalesce(n, 0) FROM t GROUP BY 1", "look different"),
        ("WITH RECURSIVE r AS (SELECT a FROM t) SELECT a FROM r", "recursion"),
        ("SELECT x.a FROM (SELECT a FROM t UNION SELECT a FROM t) AS x", "UNION ALL alone"),
        ("SELECT x.a FROM (SELECT a FROM t UNION ALL SELECT b FROM t) AS x", "differ in type"),
        ("SELECT g FROM generate_series(1, 3) AS g", "only tables"),
        ("SELECT a FROM t WINDOW w AS (ORDER BY a)", "not on the list"),
        ("SELECT a FROM t FOR UPDATE", "not on the list"),
    ],
)
def test_queries_of_other_forms_are_refused(sql: str, why: str) -> None:
    with pytest.raises(NotColumnar, match=why):
        rendered(sql)


def test_relations_name_just_the_columns_that_are_read() -> None:
    query = rendered("SELECT x.n FROM t AS x JOIN t AS y ON x.a = y.a WHERE y.bytes = 'r1 AS s0'")
    read = [sorted(name for _, name, _ in one.columns) for one in query.relations]
    assert read == [["a", "n"], ["a", "bytes"]]
    assert not any(one.is_driving for one in query.relations)
    types = {name: type_ for one in query.relations for _, name, type_ in one.columns}
    assert types == {"n": "DECIMAL(12,2)", "a": "INTEGER", "bytes": "VARCHAR"}


def test_the_table_that_is_shared_out_is_told() -> None:
    tree = parsed("SELECT count(*) FROM t AS x JOIN t AS y ON x.a = y.a")
    tree.args["from_"].this.meta[PLACE] = 3
    query = render_columnar(tree, TABLES, driving=3)
    assert [one.is_driving for one in query.relations] == [True, False]
    with pytest.raises(NotColumnar, match="not read exactly once"):
        render_columnar(tree, TABLES, driving=4)


def test_parameters_are_written_as_constants() -> None:
    given = [Parameter("integer", "7"), Parameter("text", "it's"), Parameter("date", None)]
    sql = rendered("SELECT a FROM t WHERE a = $1 AND bytes = $2 AND $3 IS NULL", *given).sql
    assert "CAST('7' AS INTEGER)" in sql
    assert "'it''s'" in sql
    assert "CAST(NULL AS DATE)" in sql


@pytest.mark.parametrize(
    "parameter",
    [
        Parameter("integer", "x"),
        Parameter("numeric", "NaN"),
        Parameter("date", "infinity"),
        Parameter("jsonb", "{}"),
    ],
)
def test_parameters_of_no_plain_form_are_refused(parameter: Parameter) -> None:
    with pytest.raises(NotColumnar):
        rendered("SELECT $1 FROM t", parameter)


def test_types_that_postgresql_describes_otherwise_are_refused() -> None:
    tree = parsed("SELECT a FROM t")
    integer, text = TypeFact(INT4, -1, "integer", "integer"), TypeFact(TEXT, -1, "text", "text")
    render_columnar(tree, TABLES, types=[integer])
    with pytest.raises(NotColumnar, match="PostgreSQL calls the type"):
        render_columnar(tree, TABLES, types=[text])
    with pytest.raises(NotColumnar, match="counts its columns"):
        render_columnar(tree, TABLES, types=[integer, integer])


@pytest.mark.parametrize(
    ("typmod", "expected"),
    [
        ((12 << 16 | 2) + 4, "DECIMAL(12,2)"),
        ((38 << 16 | 0) + 4, "DECIMAL(38,0)"),
        ((2 << 16 | 2) + 4, "DECIMAL(3,2)"),
        (-1, None),
        ((39 << 16 | 2) + 4, None),
        ((38 << 16 | 38) + 4, None),
        ((2 << 16 | 5) + 4, None),
        ((5 << 16 | (-2 & 0x7FF)) + 4, None),
    ],
)
def test_numerics_that_a_decimal_holds_have_a_kind(typmod: int, expected: str | None) -> None:
    kind = kind_of(NUMERIC, typmod)
    assert (kind.duckdb if kind is not None else None) == expected


def test_columns_that_differ_in_case_alone_are_refused() -> None:
    tables = {TableName(None, "t"): TableFact({"a": ColumnFact(INT4), "A": ColumnFact(INT4)})}
    tree = parsed("SELECT a FROM t")
    with pytest.raises(NotColumnar, match="case alone"):
        render_columnar(tree, tables)


def test_nothing_volatile_is_written_which_would_keep_conditions_out_of_joins() -> None:
    inner = "SELECT avg(o.n) FROM t AS o WHERE o.a = t.a"
    sql = rendered(f"SELECT a FROM t WHERE n > ({inner}) AND upper(bytes) = 'X'").sql
    assert "error(" not in sql


@pytest.mark.parametrize(
    ("number", "type_"),
    [
        ("-2147483648", "INTEGER"), ("-(2147483648)", "INTEGER"), ("-2147483649", "BIGINT"),
        ("-9223372036854775808", "BIGINT"), ("-9223372036854775809", "DECIMAL(19,0)"),
    ],
)  # fmt: skip
def test_a_negative_number_has_the_type_that_it_has_with_its_sign(number: str, type_: str) -> None:
    # else `-2147483648 - 1` has an answer, where PostgreSQL raises
    value = number.replace("(", "").replace(")", "")
    assert f"CAST('{value}' AS {type_})" in rendered(f"SELECT {number} FROM t").sql


@pytest.mark.parametrize("call", ["sum(t.a)", "count(*) FILTER (WHERE t.a > 1)", "max(t.a + 1)"])
def test_an_aggregate_of_the_query_around_is_not_on_the_list(call: str) -> None:
    with pytest.raises(NotColumnar, match="of the query around"):
        rendered(f"SELECT (SELECT {call} FROM t AS o) FROM t")
    own = call.replace("t.", "o.").replace(" + 1", "")
    assert "scalar subquery" in rendered(f"SELECT (SELECT {own} FROM t AS o) FROM t").entries

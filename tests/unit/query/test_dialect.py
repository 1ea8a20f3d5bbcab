# ruff: noqa: E501 - SQL reads best on one line
"""What is read is written back, in the words of the user."""

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from query.canonical import bind, canonical
from query.dialect import FaithfulPostgres, render
from query.merge import array_literal

SAME = [
    "SELECT mod(a, b), pow(a, b), char_length(c), Ceiling(d), round(AVG(x), 2) FROM t",
    "SELECT EXTRACT(YEAR FROM d), SUBSTRING(a FROM 1 FOR 2), POSITION('a' IN b) FROM t",
    "SELECT a FROM t WHERE b = ANY(ARRAY[1, 2]) AND NOT c IS NULL ORDER BY a DESC NULLS LAST",
    "SELECT COUNT(*) FILTER(WHERE a > 1), SUM(DISTINCT b) FROM t GROUP BY 1 HAVING COUNT(*) > 2",
    'SELECT "Odd", t."Name" FROM "Some Schema"."T" AS t LEFT JOIN u USING (id)',
    "SELECT a || b, a ->> 'k', a IS DISTINCT FROM b, a BETWEEN 1 AND 2 FROM t",
    "SELECT string_agg(DISTINCT a, ',' ORDER BY a) FILTER(WHERE b), mode() WITHIN GROUP (ORDER BY a) FROM t",
    "SELECT json_object_agg(a, b ORDER BY a DESC), grouping(a, b) FROM t GROUP BY a, CUBE (b), ROLLUP ((a, b), c)",
    "SELECT a FROM t FETCH FIRST 3 ROWS WITH TIES",
]


@pytest.mark.parametrize("sql", SAME)
def test_sql_comes_back_as_it_was(sql: str) -> None:
    assert render(sqlglot.parse_one(sql, dialect=FaithfulPostgres)) == sql


@pytest.mark.parametrize(
    ("one", "other"),
    [("a + B", "A+b"), ('"a"', "a"), ("Upper(x)", "upper(X)"), ("t.a", 'T."a"')],
)
def test_case_and_quotes_of_names_do_not_matter(one: str, other: str) -> None:
    texts = {canonical(sqlglot.parse_one(text, dialect=FaithfulPostgres)) for text in (one, other)}
    assert len(texts) == 1


@pytest.mark.parametrize(("one", "other"), [("'a'", "'A'"), ('"A"', "a"), ("a + b", "b + a")])
def test_what_differs_stays_different(one: str, other: str) -> None:
    texts = {canonical(sqlglot.parse_one(text, dialect=FaithfulPostgres)) for text in (one, other)}
    assert len(texts) == 2


def test_parameters_are_numbered_anew_and_typed() -> None:
    tree = sqlglot.parse_one("SELECT $3 FROM t WHERE a = $1 AND b = $3", dialect=FaithfulPostgres)
    bound = bind(tree, ["integer", "text", "numeric(4,1)"])
    assert bound.parameters == (3, 1)
    assert bound.sql == (
        "SELECT CAST($1 AS DECIMAL(4, 1)) FROM t WHERE a = CAST($2 AS INT) "
        "AND b = CAST($1 AS DECIMAL(4, 1))"
    )


@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\x00"), max_size=8)))
def test_array_literals_read_back(values: list[str | None]) -> None:
    text = array_literal(values)
    assert text.startswith("{")
    assert text.endswith("}")
    assert _read(text) == values


def _read(text: str) -> list[str | None]:
    values: list[str | None] = []
    inner, place = text[1:-1], 0
    while place < len(inner):
        if inner[place] == '"':
            place += 1
            value = ""
            while inner[place] != '"':
                place += inner[place] == "\\"
                value += inner[place]
                place += 1
            values.append(value)
            place += 2
        else:
            assert inner[place : place + 4] == "NULL"
            values.append(None)
            place += 5
    return values

"""UNIONs as SELECTs over their branches."""

import pytest
import sqlglot

from query.branches import as_select, branches_of
from query.dialect import FaithfulPostgres, render
from query.nested import renamed_in


def parsed(sql: str) -> sqlglot.exp.Expr:
    return sqlglot.parse_one(sql, dialect=FaithfulPostgres)


@pytest.mark.parametrize(
    ("union", "select"),
    [
        (
            "SELECT a FROM t UNION ALL SELECT b FROM s ORDER BY 1 LIMIT 3",
            "SELECT u.c0 FROM (SELECT a FROM t UNION ALL SELECT b FROM s) AS u(c0) "
            "ORDER BY 1 LIMIT 3",
        ),
        (
            "WITH x AS (SELECT 1) SELECT a FROM t UNION (SELECT b FROM x UNION ALL SELECT 1)",
            "WITH x AS (SELECT 1) SELECT DISTINCT u.c0 FROM "
            "(SELECT a FROM t UNION ALL (SELECT b FROM x UNION ALL SELECT 1)) AS u(c0)",
        ),
        ("(SELECT a FROM t)", "SELECT a FROM t"),
    ],
)
def test_a_union_becomes_a_select_over_its_branches(union: str, select: str) -> None:
    tree = parsed(union)
    assert render(as_select(tree, 1)) == select
    assert render(tree) == union


@pytest.mark.parametrize(
    ("sql", "branches"),
    [
        ("SELECT 1 UNION ALL SELECT 2 UNION ALL (SELECT 3)", 3),
        ("SELECT 1 UNION ALL (SELECT 2 UNION ALL SELECT 3)", 3),
        ("SELECT 1 UNION ALL (SELECT 2 UNION ALL SELECT 3 LIMIT 1)", 2),
        ("SELECT 1 UNION ALL (SELECT 2 UNION SELECT 3)", 2),
    ],
)
def test_chains_of_union_all_are_flat(sql: str, branches: int) -> None:
    found = branches_of(parsed(sql))
    assert found is not None
    assert len(found) == branches


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "SELECT 1 UNION SELECT 2", "SELECT 1 UNION ALL SELECT 2 LIMIT 1",
            "SELECT 1 EXCEPT ALL SELECT 2"],
)  # fmt: skip
def test_what_is_no_chain_of_union_all_has_no_branches(sql: str) -> None:
    assert branches_of(parsed(sql)) is None


def test_names_that_stand_for_something_else_inside_are_known() -> None:
    sql = "SELECT q.a AS top FROM (SELECT t.n AS n, t.m / 2 AS a FROM t) AS q(b), f(1) AS g"
    assert renamed_in(parsed(sql)) == {"a", "b", "q", "g", "key", "value"}

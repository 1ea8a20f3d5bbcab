"""Shapes of queries."""

import pytest
import sqlglot

from query.dialect import FaithfulPostgres
from query.shape import Shape, shape_of


def shape(sql: str) -> Shape:
    return shape_of(sqlglot.parse_one(sql, dialect=FaithfulPostgres))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE b = 5 LIMIT 10", "select A\nfrom T where B=6 limit 3"),
        ("SELECT 'x' || c FROM t", "SELECT 'a secret' || c FROM t"),
    ],
)
def test_constants_and_case_do_not_count(one: str, other: str) -> None:
    assert shape(one) == shape(other)
    assert "secret" not in shape(other).masked


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t", "SELECT b FROM t"),
        ("SELECT a FROM t", 'SELECT "A" FROM t'),
        ("SELECT a FROM t WHERE b > 1", "SELECT a FROM t WHERE b < 1"),
    ],
)
def test_everything_else_counts(one: str, other: str) -> None:
    assert shape(one).digest != shape(other).digest

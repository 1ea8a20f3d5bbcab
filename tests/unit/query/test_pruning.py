"""Segments are left out only where no row of them can be wanted."""

from decimal import Decimal

import pytest
from sqlglot import exp

from query.columnar.context import Parameter
from query.columnar.facts import ColumnFact, TableFact
from query.columnar.pruning import bounds_of, may_hold
from query.cuts import PLACE
from query.dialect import DIALECT
from query.types import DATE, FLOAT8, INT4, NUMERIC, TEXT, TIMESTAMP

FACT = TableFact(
    {
        "i": ColumnFact(INT4),
        "n": ColumnFact(NUMERIC, (10 << 16 | 2) + 4),
        "d": ColumnFact(DATE),
        "ts": ColumnFact(TIMESTAMP),
        "s": ColumnFact(TEXT, -1, "C", bytewise=True),
        "f": ColumnFact(FLOAT8),
    }
)
SEGMENT = {
    "i": ("10", "20"),
    "n": ("-1.50", "7.25"),
    "d": ("2024-02-01", "2024-02-29"),
    "ts": ("2024-02-01 00:00:00", "2024-02-29 23:59:59.500000"),
    "s": (None, None),
    "f": (None, None),
}


def holds(condition: str, *parameters: Parameter, source: str = "t") -> bool:
    (tree,) = DIALECT.parse(f"SELECT count(*) FROM {source} WHERE {condition}")
    assert isinstance(tree, exp.Select)
    for table in tree.find_all(exp.Table):
        if table.name == "t":
            table.meta[PLACE] = 0
    return may_hold(bounds_of(tree, 0, FACT, parameters), SEGMENT)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("i = 10", True), ("i = 9", False), ("i = 21", False), ("i < 10", False),
        ("i <= 10", True), ("i > 20", False), ("i >= 20", True), ("9 > i", False),
        ("10 >= i", True), ("i BETWEEN 21 AND 30", False), ("i BETWEEN 0 AND 9", False),
        ("i BETWEEN 5 AND 12", True), ("i = -15", False), ("i > -15", True),
        ("i < 9.99", False), ("n > 7.25", False), ("n >= 7.25", True), ("n = '8'", False),
        ("d >= date '2024-03-01'", False), ("d = '2024-02-29'", True), ("d < '2024-02-01'", False),
        ("ts > timestamp '2024-02-29 23:59:59.5'", False),
        ("ts >= timestamp '2024-02-29 23:59:59.5'", True), ("ts < '2024-02-01'", False),
        # nothing is known, or it does not have to hold
        ("s = 'zzz'", True), ("f > 1e9", True), ("i = 9 OR n = 1", True), ("NOT i = 15", True),
        ("i = 9 AND s = 'x'", False), ("(i > 0 AND (n < 3 AND i = 9))", False),
        ("i + 1 = 9", True), ("i = n", True), ("i <> 9", True), ("i = NULL", True),
        ("d > 'tomorrow'", True), ("i IS NULL", True),
    ],
)  # fmt: skip
def test_a_condition_excludes_a_segment_by_its_extremes(condition: str, expected: bool) -> None:
    assert holds(condition) is expected


def test_parameters_count_by_their_values() -> None:
    assert not holds("i = $1", Parameter("integer", "9"))
    assert holds("i = $1", Parameter("integer", "12"))
    assert holds("i = $1", Parameter("integer", None))
    # 2⁵³ + 1 is 2⁵³ as a float, and so equals what is not it
    assert holds("i = $1", Parameter("double precision", "9"))


def test_only_columns_of_the_table_itself_count() -> None:
    assert holds("u.i = 9", source="t JOIN u ON true")
    assert holds("i = 9", source="t JOIN u ON true")
    assert not holds("t.i = 9", source="t JOIN u ON true")
    assert not holds("a.i = 9", source="t AS a")


def test_a_segment_without_values_is_kept_in_any_case() -> None:
    (tree,) = DIALECT.parse("SELECT 1 FROM t WHERE i = 9")
    assert isinstance(tree, exp.Select)
    next(tree.find_all(exp.Table)).meta[PLACE] = 0
    bounds = bounds_of(tree, 0, FACT, ())
    assert [bound.value for bound in bounds] == [Decimal(9)]
    assert may_hold(bounds, {"i": (None, None)})
    assert may_hold(bounds, {})

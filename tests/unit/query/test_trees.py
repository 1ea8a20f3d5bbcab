"""Copies and walks are those of the parser's library, only cheaper."""

import pytest
import sqlglot
from sqlglot import exp

from query.canonical import canonical, meaning
from query.dialect import FaithfulPostgres, render
from query.trees import copied, nodes, rebuilt, without_positions

SQL = (
    "WITH x AS (SELECT a, count(DISTINCT b) AS c FROM t WHERE a IN (1, 2) GROUP BY a) "
    'SELECT x.a, CAST(x.c AS numeric(5, 2)), "F"(x.a) FROM x LEFT JOIN s ON s.a = x.a ORDER BY 1'
)


def parsed(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, dialect=FaithfulPostgres)


def assert_linked(tree: exp.Expr) -> None:
    for node in nodes(tree):
        for child in node.iter_expressions():
            assert child.parent is node
            held = node.args[child.arg_key or ""]
            assert (held if child.index is None else held[child.index]) is child


def test_a_copy_is_equal_and_shares_no_node() -> None:
    tree = parsed(SQL)
    copy = copied(tree)
    assert copy == tree
    assert {id(node) for node in nodes(copy)}.isdisjoint(id(node) for node in nodes(tree))
    assert_linked(copy)


def test_the_copy_of_a_part_stands_alone() -> None:
    part = parsed(SQL).find(exp.Where)
    assert part is not None
    assert copied(part).parent is None


def test_a_copy_keeps_what_was_noted_at_a_node() -> None:
    tree = parsed(SQL)
    tree.meta["place"] = 3
    copy = copied(tree)
    copy.meta["place"] += 1
    assert (tree.meta["place"], copy.meta["place"]) == (3, 4)


def test_nodes_come_level_by_level() -> None:
    tree = parsed(SQL)
    assert list(map(id, nodes(tree))) == list(map(id, tree.walk(bfs=True)))


def test_a_tree_without_positions_is_written_the_same() -> None:
    tree = parsed(SQL)
    before = render(tree)
    assert render(without_positions(tree)) == before
    assert not any("line" in node.meta for node in nodes(tree))


def test_a_rebuilt_node_has_changed_children_and_leaves_the_old_alone() -> None:
    tree = parsed("SELECT f(a, b + 1)").find(exp.Anonymous)
    assert tree is not None
    new = rebuilt(tree, lambda child: exp.column("z"))
    assert render(new) == "f(z, z)"
    assert render(tree) == "f(a, b + 1)"
    assert_linked(new)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("T.A + 1", 't."a" + 1', True),
        ('"A"', "a", False),
        ("F(x)", "f(x)", True),
        ("sum(x)", "SUM(X)", True),
        ("x::int", "CAST(x AS int)", True),
        ("count(DISTINCT x)", "count(x)", False),
        ("'a'", "'A'", False),
        ("1", "'1'", False),
        ("a - b", "b - a", False),
        ("a || b", "a | b", False),
    ],
)
def test_meanings_are_equal_where_canonical_texts_are(one: str, other: str, equal: bool) -> None:
    trees = [parsed(one), parsed(other)]
    assert (meaning(trees[0]) == meaning(trees[1])) is equal
    assert (canonical(trees[0]) == canonical(trees[1])) is equal

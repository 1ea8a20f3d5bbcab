"""Makes a failing query smaller while it still fails."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from query.dialect import FaithfulPostgres, render
from tests.oracle.generator import GeneratedQuery, renumbered

CLAUSES = ("where", "having", "order", "limit", "offset", "group", "distinct", "with_")
WORTH_REPLACING = (
    exp.Func, exp.Binary, exp.Case, exp.Cast, exp.Paren, exp.Unary, exp.Filter, exp.Subquery,
    exp.In, exp.Between,
)  # fmt: skip


def shrunk(
    query: GeneratedQuery, fails: Callable[[GeneratedQuery], bool], *, tries: int = 200
) -> GeneratedQuery:
    """Return the smallest query found for which `fails` is true, asking at most `tries` times.

    Each round takes the first simpler variant that still fails, until none does.  What a variant
    is compared for is what it still has: its order counts only with all its outputs.
    """
    best = query
    while True:
        for candidate in _candidates(best):
            tries -= 1
            if tries < 0:
                return best
            if fails(candidate):
                best = candidate
                break
        else:
            return best


def _candidates(query: GeneratedQuery) -> Iterator[GeneratedQuery]:
    try:
        tree = sqlglot.parse_one(query.sql, dialect=FaithfulPostgres)
    except SqlglotError:
        return
    for variant, order_kept in _variants(tree):
        try:
            sql, params = renumbered(render(variant), query.params)
        except (ValueError, AttributeError):  # a tree that lacks what its kind must have
            continue
        if len(sql) < len(query.sql):
            order = query.order if order_kept else ()
            yield replace(query, sql=sql, params=params, order=order)


def _variants(tree: exp.Expr) -> Iterator[tuple[exp.Expr, bool]]:
    """Yield simpler trees, those that drop most first; whether the outputs stayed comes along."""
    size = len(list(tree.walk()))
    for place in range(size):
        for simplify, order_kept in _ways(_at(tree, place)):
            copy = tree.copy()
            changed = simplify(_at(copy, place))
            if changed is not None:
                yield (changed if place == 0 else copy), order_kept


def _at(tree: exp.Expr, place: int) -> exp.Expr:
    return next(node for number, node in enumerate(tree.walk()) if number == place)


Way = Callable[[exp.Expr], exp.Expr | None]


def _ways(node: exp.Expr) -> Iterator[tuple[Way, bool]]:
    if isinstance(node, exp.SetOperation):
        yield (lambda found: _replaced(found, found.this)), False
        yield (lambda found: _replaced(found, found.expression)), False
    if isinstance(node, exp.Select | exp.SetOperation):
        for clause in CLAUSES:
            if node.args.get(clause) is not None:
                yield _without(clause), clause != "order"
    if isinstance(node, exp.Select):
        for number in range(len(node.args.get("joins") or [])):
            yield _without_one("joins", number), True
    if isinstance(node, exp.Select | exp.Order | exp.Group | exp.Tuple):
        for number in range(len(node.expressions)):
            if len(node.expressions) > 1:
                yield _without_one("expressions", number), False
    if isinstance(node, WORTH_REPLACING):
        for number, child in enumerate(node.iter_expressions()):
            if isinstance(child, exp.Condition | exp.Subquery):
                yield _child(number), True


def _without(clause: str) -> Way:
    def apply(node: exp.Expr) -> exp.Expr:
        node.set(clause, None)
        return node

    return apply


def _without_one(part: str, number: int) -> Way:
    def apply(node: exp.Expr) -> exp.Expr:
        node.set(part, [item for place, item in enumerate(node.args[part]) if place != number])
        return node

    return apply


def _child(number: int) -> Way:
    def apply(node: exp.Expr) -> exp.Expr | None:
        children = list(node.iter_expressions())
        return _replaced(node, children[number]) if number < len(children) else None

    return apply


def _replaced(node: exp.Expr, by: exp.Expr) -> exp.Expr:
    copy = by.copy()
    if node.parent is not None:
        node.replace(copy)
    return copy

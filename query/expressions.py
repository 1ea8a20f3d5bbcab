"""Expressions written as SQL with names to fill in."""

from functools import cache

import sqlglot
from sqlglot import exp

from query.dialect import FaithfulPostgres
from query.trees import copied, without_positions

# Our own calls that a function of the exposed schema could take over, though it comes last in the
# search path: these take any type, and one that takes just the given type fits better.
TAKES_ANY = frozenset({"concat", "count", "unnest"})


def formula(text: str, **parts: exp.Expr) -> exp.Expr:
    """Return the expression `text`, with `parts` in parentheses for the columns of their names."""
    tree = copied(_parsed(text))

    def fill(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table and node.name in parts:
            part = copied(parts[node.name])
            plain = isinstance(part, exp.Column | exp.Func | exp.Literal | exp.Paren)
            return part if plain else exp.Paren(this=part)
        return node

    return exp.Paren(this=tree.transform(fill, copy=False))


@cache
def _parsed(text: str) -> exp.Expr:
    return without_positions(sqlglot.parse_one(text, dialect=FaithfulPostgres))


def any_of(*conditions: exp.Expr | None) -> exp.Expr | None:
    """Return the disjunction of those `conditions` that are given, None for none."""
    given = [condition for condition in conditions if condition is not None]
    if not given:
        return None
    first, *others = [exp.Paren(this=condition) for condition in given]
    rest = any_of(*others)
    return first if rest is None else exp.Or(this=first, expression=rest)

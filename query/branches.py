"""The branches of a UNION, and a UNION as a SELECT over them."""

from collections.abc import Sequence

from sqlglot import exp

from query.trees import copied

ALIAS = "u"
AROUND = ("order", "limit", "offset", "with_")


def branches_of(union: exp.Expr) -> list[exp.Expr] | None:
    """Return the branches of a chain of UNION ALL, or None where it is anything else.

    A branch is a SELECT, or another query that stands as a whole.
    """
    if not isinstance(union, exp.Union) or _has_distinct(union) or _has_more(union):
        return None
    found: list[exp.Expr] = []
    for side in (union.this, union.expression):
        inner = unwrapped(side)
        found += branches_of(inner) or [inner]
    return found


def unwrapped(query: exp.Expr) -> exp.Expr:
    """Return `query` without parentheses that mean nothing."""
    while isinstance(query, exp.Subquery) and not any(
        value for part, value in query.args.items() if part != "this"
    ):
        query = query.this
    return query


def as_select(tree: exp.Expr, width: int) -> exp.Expr:
    """Return a UNION of `width` columns as a SELECT over UNION ALL; anything else as it is.

        SELECT a FROM t UNION SELECT b FROM s ORDER BY 1

    becomes

        SELECT DISTINCT u.c0 FROM (SELECT a FROM t UNION ALL SELECT b FROM s) AS u(c0) ORDER BY 1
    """
    tree = unwrapped(tree)
    if not isinstance(tree, exp.Union):
        return tree
    inner = copied(tree)
    for part in AROUND:
        inner.set(part, None)
    distinct = _has_distinct(inner)
    if distinct:
        _keep_duplicates(inner)
    columns = [exp.to_identifier(f"c{number}") for number in range(width)]
    alias = exp.TableAlias(this=exp.to_identifier(ALIAS), columns=columns)
    outputs: Sequence[exp.Expr] = [exp.column(copied(column), table=ALIAS) for column in columns]
    select = exp.Select(expressions=outputs)
    select.set("from_", exp.From(this=exp.Subquery(this=inner, alias=alias)))
    if distinct:
        select.set("distinct", exp.Distinct())
    for part in AROUND:
        value = tree.args.get(part)
        if value is not None:
            select.set(part, copied(value))
    return select


def _has_distinct(union: exp.Union) -> bool:
    return union.args.get("distinct") is not False


def _has_more(union: exp.Union) -> bool:
    expected = ("this", "expression", "distinct")
    return any(value for part, value in union.args.items() if part not in expected)


def _keep_duplicates(union: exp.Union) -> None:
    """Below a UNION that removes duplicates, it does not matter whether others do."""
    union.set("distinct", False)
    for side in (union.this, union.expression):
        inner = unwrapped(side)
        if isinstance(inner, exp.Union) and not _has_more(inner):
            _keep_duplicates(inner)

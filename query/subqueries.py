"""Subqueries beside aggregates, which the merge runs: in the same transaction, at its snapshot."""

import re

from sqlglot import exp

from query.aggregates import CannotSplit
from query.statement import identifier

OF_PARTIALS = re.compile(r"p|c\d+")


def check_independent(query: exp.Expr, tree: exp.Select) -> None:
    """Raise CannotSplit if `query`, outside FROM and WHERE, may need the rest of `tree` around it.

    A bare name may be a column of either.  In the merge there is no row around it but that of
    the partials, so a name of the outer query is an unknown one there, and the query runs whole.
    """
    ctes = {identifier(cte.args["alias"].this) for cte in tree.find_all(exp.CTE)}
    own = {identifier(alias.this) for alias in query.find_all(exp.TableAlias) if alias.this}
    for table in query.find_all(exp.Table):
        name = table.this
        if not isinstance(name, exp.Identifier):
            continue
        own.add(identifier(name))
        if identifier(name) in ctes or OF_PARTIALS.fullmatch(identifier(name)):
            raise CannotSplit(f"a subquery outside FROM and WHERE reads {identifier(name)}")
    for column in query.find_all(exp.Column):
        if not isinstance(column.this, exp.Identifier):
            continue
        if OF_PARTIALS.fullmatch(identifier(column.this)):
            raise CannotSplit("a subquery outside FROM and WHERE has a name that the merge uses")
        if column.table and identifier(column.args["table"]) not in own:
            raise CannotSplit("a subquery outside FROM and WHERE looks at the row around it")

"""Texts of parsed expressions: one text for one meaning, and parameters numbered anew."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.dialect import render

PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_$]*")


def canonical(node: exp.Expr) -> str:
    """Return a text that is equal for expressions that differ only in case and quoting of names."""
    copy = node.copy()
    for name in list(copy.find_all(exp.Identifier)):
        text = str(name.this) if name.args.get("quoted") else str(name.this).lower()
        name.set("this", text)
        name.set("quoted", PLAIN_NAME.fullmatch(text) is None)
    for call in list(copy.find_all(exp.Anonymous)):
        call.set("this", str(call.this).lower())
    return render(copy)


@dataclass(frozen=True)
class BoundSql:
    """SQL whose `$1…$n` stand for the user's parameters numbered `parameters` (from 1)."""

    sql: str
    parameters: tuple[int, ...]


def bind(tree: exp.Expr, types: Sequence[str]) -> BoundSql:
    """Number the parameters left in `tree` from 1 and give each its type.

    A part of a query may hold only some of the parameters, and without the rest of the query
    around it PostgreSQL might infer another type.  `types[i]` is the type of `$i+1`.
    """
    copy = tree.copy()
    order: list[int] = []
    for parameter in list(copy.find_all(exp.Parameter)):
        number = int(parameter.this.this)
        if number not in order:
            order.append(number)
        new = exp.Parameter(this=exp.Literal.number(order.index(number) + 1))
        parameter.replace(exp.Cast(this=new, to=exp.DataType.build(types[number - 1], udt=True)))
    return BoundSql(render(copy), tuple(order))


def chosen(bound: BoundSql, values: Sequence[str | None]) -> list[str | None]:
    """Return the values of the parameters that `bound` names, in its order."""
    return [values[number - 1] for number in bound.parameters]

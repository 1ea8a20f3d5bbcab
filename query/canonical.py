"""Texts of parsed expressions: one text for one meaning, and parameters numbered anew."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache

from sqlglot import exp

from query.dialect import written_over
from query.trees import copied, nodes

PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_$]*")


def canonical(node: exp.Expr) -> str:
    """Return a text that is equal for expressions that differ only in case and quoting of names."""
    copy = copied(node)
    for found in nodes(copy):
        if isinstance(found, exp.Identifier):
            text = str(found.this) if found.args.get("quoted") else str(found.this).lower()
            found.args["this"] = text
            found.args["quoted"] = PLAIN_NAME.fullmatch(text) is None
        elif isinstance(found, exp.Anonymous):
            found.args["this"] = str(found.this).lower()
    return written_over(copy)


def meaning(node: exp.Expr) -> Hashable:
    """Return what is equal for expressions that differ only in case and quoting of names.

    As `canonical`, and not for people, but several times cheaper.
    """
    if isinstance(node, exp.Identifier):
        return str(node.this) if node.args.get("quoted") else str(node.this).lower()
    parts: list[Hashable] = [type(node).__name__]
    for part, value in sorted(node.args.items()):
        if part == "this" and isinstance(node, exp.Anonymous):
            parts.append(str(value).lower())
        elif value is not None and value is not False and value != []:
            parts.append((part, _meaning_of(value)))
    return tuple(parts)


def _meaning_of(value: object) -> Hashable:
    if isinstance(value, exp.Expr):
        return meaning(value)
    if isinstance(value, list):
        return tuple(map(_meaning_of, value))
    return repr(value)


@dataclass(frozen=True)
class BoundSql:
    """SQL whose `$1…$n` stand for the user's parameters numbered `parameters` (from 1)."""

    sql: str
    parameters: tuple[int, ...]


def bind(tree: exp.Expr, types: Sequence[str]) -> BoundSql:
    """Number the parameters left in `tree` from 1 and give each its type; `tree` is used up.

    A part of a query may hold only some of the parameters, and without the rest of the query
    around it PostgreSQL might infer another type.  `types[i]` is the type of `$i+1`.
    """
    order: list[int] = []
    for parameter in [node for node in nodes(tree) if isinstance(node, exp.Parameter)]:
        number = int(parameter.this.this)
        if number not in order:
            order.append(number)
        new = exp.Parameter(this=exp.Literal.number(order.index(number) + 1))
        parameter.replace(exp.Cast(this=new, to=copied(_type(types[number - 1]))))
    return BoundSql(written_over(tree), tuple(order))


@cache
def _type(name: str) -> exp.DataType:
    return exp.DataType.build(name, udt=True)


def chosen(bound: BoundSql, values: Sequence[str | None]) -> list[str | None]:
    """Return the values of the parameters that `bound` names, in its order."""
    return [values[number - 1] for number in bound.parameters]

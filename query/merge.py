"""The merge query.

PostgreSQL itself combines the partials, so that it has the last word on numeric scale, collation,
null order and rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.aggregates import CannotSplit
from query.canonical import BoundSql, bind
from query.expressions import any_of
from query.outputs import Window
from query.trees import copied
from query.types import TypeFact


@dataclass(frozen=True)
class Merge:
    """A merge query.

    Its parameters are the user's (by `query.parameters`), then one text array for each column of
    the partials, in order.  Where `has_verdict`, the last output column is not the user's: it is
    true in rows that show the answer to be ambiguous, so that the query must run whole.
    """

    query: BoundSql
    has_verdict: bool


def column(number: int) -> exp.Column:
    """Return the reference to the partials' column `number`, from 0."""
    return exp.column(f"c{number}", table="p")


def tied(keys: Sequence[exp.Expr]) -> exp.Expr:
    """Return the condition that a row is equal to another in all `keys`."""
    count = exp.Count(this=exp.Star(), big_int=True)
    window = exp.Window(this=count, partition_by=[copied(key) for key in keys])
    return exp.GT(this=window, expression=exp.Literal.number(1))


def first_rows(count: int, *, with_ties: bool) -> exp.Fetch | exp.Limit:
    """Return the clause for `count` rows, and with ties for all that equal the last of them."""
    if not with_ties:
        return exp.Limit(expression=exp.Literal.number(count))
    options = exp.LimitOptions(percent=False, rows=True, with_ties=True)
    number = exp.Literal.number(count)
    return exp.Fetch(direction="FIRST", count=number, limit_options=options)


def merge_query(
    *,
    outputs: Sequence[exp.Expr],
    names: Sequence[str],
    types: Sequence[TypeFact],
    parameter_types: Sequence[str],
    group_by: exp.Group | None,
    having: exp.Expr | None,
    order: Sequence[exp.Ordered],
    window: Window,
    ambiguous: Sequence[exp.Expr],
    distinct: bool = False,
    distinct_on: Sequence[exp.Expr] = (),
) -> Merge:
    """Write the merge over partials with columns of `types`.

    Output `i` is `outputs[i]` named `names[i]`; expressions refer to the partials' columns by
    `column()`.  Of `distinct` rows one each is kept, if none of them is ambiguous, and
    the first one of those that are equal in `distinct_on`.
    """
    items = [
        exp.alias_(copied(output), name, quoted=True, copy=False)
        for output, name in zip(outputs, names, strict=True)
    ]
    verdict = any_of(*ambiguous)
    if verdict is not None:
        items.append(exp.alias_(verdict, "ambiguous", quoted=True, copy=False))
    select = exp.Select(expressions=items)
    if distinct or distinct_on:
        on = exp.Tuple(expressions=[copied(key) for key in distinct_on]) if distinct_on else None
        select.set("distinct", exp.Distinct(on=on))
    select.set("from_", exp.From(this=exp.to_table("p")))
    if group_by is not None:
        select.set("group", group_by)
    if having is not None:
        select.set("having", exp.Having(this=copied(having)))
    if order:
        select.set("order", exp.Order(expressions=list(order)))
    if window.count is not None:
        select.set("limit", first_rows(window.count, with_ties=window.with_ties))
    if window.offset:
        select.set("offset", exp.Offset(expression=exp.Literal.number(window.offset)))
    bound = bind(select, parameter_types)
    source = _source(types, first_parameter=len(bound.parameters) + 1)
    sql = f"WITH p AS NOT MATERIALIZED ({source}) {bound.sql}"
    return Merge(BoundSql(sql, bound.parameters), verdict is not None)


def _source(types: Sequence[TypeFact], *, first_parameter: int) -> str:
    arrays, casts = [], []
    for number, fact in enumerate(types):
        if fact.kind == "p":
            raise CannotSplit(f"values of type {fact.name} cannot be sent on")
        # an array of arrays would be flattened by unnest, so these go as text and are cast
        element = "text" if fact.is_array or fact.kind == "c" else fact.base_name
        arrays.append(f"CAST(${first_parameter + number} AS {element}[])")
        value = f"u.c{number}"
        if element == "text" or fact.typmod >= 0:
            value = f"CAST({value} AS {fact.name})"
        if fact.collation is not None:
            value = f"{value} COLLATE {fact.collation}"
        casts.append(f"{value} AS c{number}")
    columns = ", ".join(f"c{number}" for number in range(len(types)))
    return f"SELECT {', '.join(casts)} FROM unnest({', '.join(arrays)}) AS u({columns})"


def array_literal(values: Sequence[str | None]) -> str:
    """Return the values as a PostgreSQL array in text format."""
    parts = []
    for value in values:
        if value is None:
            parts.append("NULL")
        elif '"' in value or "\\" in value:
            parts.append('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"')
        else:
            parts.append(f'"{value}"')
    return "{" + ",".join(parts) + "}"

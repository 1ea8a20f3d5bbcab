"""From a query to DuckDB's SQL over named relations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.columnar.context import Context, Parameter, refuse
from query.columnar.expressions import RULES
from query.columnar.facts import TableFact
from query.columnar.kinds import FLOATS, OIDS, TEMPORAL
from query.columnar.scope import Rows
from query.columnar.selects import outermost, rows_of
from query.columnar.temporal import checked
from query.columnar.values import Value
from query.statement import TableName
from query.types import TypeFact


@dataclass(frozen=True)
class Relation:
    """What the SQL reads under `name`: columns (own name, table's name, DuckDB's type).

    `is_driving` tells that each fragment is to give its own part of the rows; of all others each
    fragment reads all rows.
    """

    name: str
    table: TableName
    is_driving: bool
    columns: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class ColumnarQuery:
    """DuckDB's SQL: its columns are strings, PostgreSQL's text of the values.

    `entries` names what of the list it uses.
    """

    sql: str
    relations: tuple[Relation, ...]
    entries: frozenset[str]


def render_columnar(
    query: exp.Select,
    tables: Mapping[TableName, TableFact],
    parameters: Sequence[Parameter] = (),
    *,
    driving: int | None = None,
    types: Sequence[TypeFact] | None = None,
) -> ColumnarQuery:
    """Render `query`, whose outputs PostgreSQL says to be of `types`.

    `driving` is the number of the node of the table that fragments share out (`query.cuts`).
    Raises NotColumnar, with the expression and the reason, unless DuckDB surely means the same.
    """
    context = Context(tables, parameters, driving, RULES, rows_of)
    rows = outermost(query, context)
    if types is not None:
        _check_types(query, rows, types)
    items = [f"{_text(query, value)} AS c{n}" for n, (_, value) in enumerate(rows.columns)]
    sql = f"SELECT {', '.join(items)} FROM ({rows.sql}) AS o"
    relations = []
    for use in context.notes.relations:
        if f"{use.name} AS {use.alias}" not in sql:
            continue  # of a part that is written twice, or not at all
        read = tuple(
            (own, name, kind.duckdb)
            for own, (name, kind) in use.columns.items()
            if f"{use.alias}.{own}" in sql
        )
        relations.append(Relation(use.name, use.table, use.is_driving, read))
    if sum(one.is_driving for one in relations) != (driving is not None):
        refuse(query, "the table whose rows are shared out is not read exactly once")
    return ColumnarQuery(sql, tuple(relations), frozenset(context.notes.entries))


def _check_types(query: exp.Select, rows: Rows, types: Sequence[TypeFact]) -> None:
    """Compare what we take the types for with what PostgreSQL says: we may have misread it."""
    if len(rows.columns) != len(types):
        refuse(query, "PostgreSQL counts its columns otherwise")
    for (_, value), fact in zip(rows.columns, types, strict=True):
        if fact.oid not in OIDS[value.kind.name]:
            refuse(query, f"PostgreSQL calls the type of {value.sql} {fact.name}")


def _text(query: exp.Select, value: Value) -> str:
    """Return the expression of the value's text as PostgreSQL writes it."""
    name = value.kind.name
    if name in FLOATS:
        refuse(query, "the text of floats is written otherwise")
    if name == "bool":
        return f"CASE o.{value.sql} WHEN true THEN 't' WHEN false THEN 'f' END"
    if name == "numeric":
        return _number_text(value)
    if name == "bytea":
        return rf"'\x' || lower(hex(o.{value.sql}))"
    if name in TEMPORAL:
        text = f"CAST({checked(f'o.{value.sql}', value.kind)} AS VARCHAR)"
        return f"{text} || '+00'" if name == "timestamptz" else text
    return f"CAST(o.{value.sql} AS VARCHAR)"


def _number_text(value: Value) -> str:
    texts = {
        scale: f"CAST(CAST(o.{value.sql} AS DECIMAL({_digits(value, scale)},{scale})) AS VARCHAR)"
        for scale in value.kind.scales
    }
    if len(texts) == 1:
        return next(iter(texts.values()))
    whens = " ".join(f"WHEN {scale} THEN {text}" for scale, text in texts.items())
    return f"CASE o.{value.shown} {whens} END"


def _digits(value: Value, scale: int) -> int:
    return max(scale + 1, value.kind.digits - value.kind.scale + scale)

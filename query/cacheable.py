"""Which answers may be given again for a time: those that follow from the tables' rows alone.

No volatile function, nothing that moves with the clock, and no relation but tables, partitioned
tables and materialized views.  What is not known to be so is not.  A LIMIT without ORDER BY is
fine: any of its answers is a right one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.lexer import Token
from query.safety import TRANSACTION_TIME, moves_with_time
from query.spelling import Spelling
from query.statement import TableName, identifier
from query.types import TEMPORAL

# Stable only through settings that every session of the reader pins: time zone, styles of output.
PINNED = frozenset({
    "array_to_json", "array_to_string", "concat", "concat_ws", "date_add", "date_part",
    "date_subtract", "date_trunc", "extract", "format", "generate_series", "json_agg",
    "json_build_array", "json_build_object", "json_object_agg", "jsonb_agg", "jsonb_build_array",
    "jsonb_build_object", "jsonb_object_agg", "overlaps", "quote_literal", "quote_nullable",
    "row_to_json", "timezone", "to_char", "to_date", "to_json", "to_jsonb", "to_number",
    "to_timestamp",
})  # fmt: skip
KINDS = frozenset({"r", "p", "m"})
CATALOG_TYPES = frozenset({
    "regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper",
    "regoperator", "regproc", "regprocedure", "regrole", "regtype",
})  # fmt: skip
TEMPORAL_TYPES = ("DATE", "TIME", "TIMETZ", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPNTZ")
TEMPORAL_CALLS = frozenset({"date_trunc", "date_bin", "make_date", "make_timestamp"})


@dataclass(frozen=True)
class Calls:
    """What a statement may call: `names` stand before a parenthesis, `attributes` after a dot.

    PostgreSQL reads `x.f` as `f(x)` where x has no column f.
    """

    names: frozenset[str]
    attributes: frozenset[str]


@dataclass(frozen=True)
class Relation:
    """A table of a statement: its `pg_class.relkind`, and the tables whose rows may be in it.

    `family` has its own name and those of its parents and children; `columns` maps names to type
    oids; `is_exposed` tells that it is in the exposed schema, and hides no rows.
    """

    kind: str
    is_exposed: bool
    family: frozenset[str]
    columns: dict[str, int]


@dataclass(frozen=True)
class Facts:
    """What the catalog says: `changing` are called built-in functions that are not immutable.

    `foreign_changing` are those of anybody else; `has_changing_operator` tells of a volatile
    operator or cast that is not PostgreSQL's own.
    """

    relations: dict[TableName, Relation]
    changing: frozenset[str]
    foreign_changing: frozenset[str]
    has_changing_operator: bool


@dataclass(frozen=True)
class Verdict:
    """`tables` are those that the answer stems from; None: it is not kept, because of `reason`."""

    tables: tuple[str, ...] | None
    reason: str = ""


def calls(tokens: Sequence[Token]) -> Calls:
    """Return what the statement may call."""
    names, attributes = set(), set()
    for place, token in enumerate(tokens):
        if not token.is_identifier:
            continue
        is_called = place + 1 < len(tokens) and tokens[place + 1].is_mark("(")
        follows_dot = place > 1 and tokens[place - 1].is_mark(".")
        if is_called or (follows_dot and not tokens[place - 2].is_identifier):
            names.add(token.text)
        elif follows_dot:
            attributes.add(token.text)
    return Calls(frozenset(names), frozenset(attributes))


def moving_reason(spelling: Spelling, params: Iterable[str | None]) -> str | None:
    """Return why the text alone forbids to keep the answer, None when it does not."""
    for token in spelling.tokens:
        if token.kind == "word" and token.text in TRANSACTION_TIME:
            return f"{token.text} moves with the clock"
        if token.kind == "word" and token.text in CATALOG_TYPES:
            return f"{token.text} reads the system catalog"
        if token.kind == "word" and token.text == "tablesample":
            return "a sample is another one each time"
    for text in spelling.strings:
        if moves_with_time(text):
            return f"{text} may mean the time of the query"
        if text[0] in "eE" and "\\" in text:
            return "it has a string with escapes"
    if any(value is not None and moves_with_time(value) for value in params):
        return "a parameter may mean the time of the query"
    return None


def verdict(tree: exp.Expr, tables: Sequence[TableName], facts: Facts) -> Verdict:
    """Decide with what the catalog says."""
    for reason in _reasons(tree, tables, facts):
        return Verdict(None, reason)
    family = frozenset[str]().union(*(facts.relations[name].family for name in tables))
    return Verdict(tuple(sorted(family)))


def _reasons(tree: exp.Expr, tables: Sequence[TableName], facts: Facts) -> Iterator[str]:
    changing = (facts.changing - PINNED) | facts.foreign_changing
    if changing:
        yield f"the function {min(changing)} may answer differently each time"
    if facts.has_changing_operator:
        yield "there is a volatile operator or cast of your own"
    for name in tables:
        relation = facts.relations.get(name)
        if relation is None or not relation.is_exposed:
            yield f"{name.name} is no table of the exposed schema, or hides rows"
        elif relation.kind not in KINDS:
            yield f"{name.name} is no table"
    for cast in tree.find_all(exp.Cast):
        target = cast.args["to"].sql(dialect="postgres").upper()
        if target.startswith(TEMPORAL_TYPES) and not _is_fixed(cast.this, facts):
            yield "a text that becomes a time may mean the time of the query"


def _is_fixed(operand: exp.Expr, facts: Facts) -> bool:
    """Tell whether what is cast to a time is surely no text such as 'now' from a table."""
    operand = operand.unnest()
    if isinstance(operand, exp.Cast):
        target = operand.args["to"].sql(dialect="postgres").upper()
        return target.startswith(TEMPORAL_TYPES) or _is_fixed(operand.this, facts)
    if isinstance(operand, exp.Column):
        name = identifier(operand.this)
        types = {
            relation.columns[name]
            for relation in facts.relations.values()
            if name in relation.columns
        }
        return bool(types) and types <= TEMPORAL
    if isinstance(operand, exp.Min | exp.Max):
        return _is_fixed(operand.this, facts)
    if isinstance(operand, exp.Anonymous):
        return str(operand.this).lower() in TEMPORAL_CALLS
    return isinstance(
        operand, exp.Literal | exp.Parameter | exp.Null | exp.Add | exp.Sub | exp.Interval
    )

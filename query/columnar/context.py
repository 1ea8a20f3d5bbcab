"""What rendering a part of a query needs to know of the rest."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import NamedTuple, NoReturn

from sqlglot import exp

from query.columnar.allowed import ALLOWED
from query.columnar.errors import NotColumnar
from query.columnar.facts import TableFact
from query.columnar.kinds import Kind
from query.columnar.scope import Rows, Scope
from query.columnar.values import UNKNOWN, Value
from query.dialect import render
from query.statement import TableName


@dataclass(frozen=True)
class Parameter:
    """A parameter's type, as `format_type` names it, and its value in PostgreSQL's text format."""

    type_name: str
    value: str | None


@dataclass
class RelationUse:
    """A relation that the SQL reads as `name AS alias`: columns of a table, by names of our own.

    `is_driving` tells that a fragment is to see its own part of the rows alone.
    """

    name: str
    alias: str
    table: TableName
    is_driving: bool
    columns: dict[str, tuple[str, Kind]] = field(default_factory=dict)


@dataclass
class Notes:
    """What is written down while a query is rendered: entries of the list, and relations."""

    entries: set[str] = field(default_factory=set)
    relations: list[RelationUse] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)


class Rule(NamedTuple):
    """How nodes of a type are rendered, and the parts that they may have.

    Our parser may say with another part that something is meant otherwise, such as NOT.
    """

    render: Callable[[exp.Expr, "Context"], Value]
    parts: frozenset[str] = frozenset({"this", "expression"})


def check_parts(node: exp.Expr, *known: str) -> None:
    """Raise NotColumnar where `node` has parts that are not known, and so would be overlooked."""
    for part, value in node.args.items():
        if part not in known and value is not None and value is not False and value != []:
            refuse(node, f"its part {part!r} is not on the list")


@dataclass(frozen=True)
class Context:
    """The place where an expression stands.

    `rules` render the nodes of each type, and `query` a query inside.  `driving` is the number of
    the node that a fragment sees its own rows of alone.
    """

    tables: Mapping[TableName, TableFact]
    parameters: Sequence[Parameter]
    driving: int | None
    rules: Mapping[type[exp.Expr], Rule]
    query: Callable[[exp.Expr, "Context"], Rows]
    scope: Scope = field(default_factory=Scope)
    notes: Notes = field(default_factory=Notes)

    def within(self, scope: Scope) -> "Context":
        """Return the context of the same query where `scope` is what can be named."""
        return replace(self, scope=scope)

    def use(self, entry: str) -> None:
        """Note that an entry of the list is used; there must be one."""
        if entry not in ALLOWED:
            raise KeyError(entry)
        self.notes.entries.add(entry)

    def fresh(self, letter: str) -> str:
        """Return a name that nothing else in the SQL has."""
        return f"{letter}{next(self.notes.numbers)}"

    def value(self, node: exp.Expr) -> Value:
        """Render an expression.  Raises NotColumnar."""
        rule = self.rules.get(type(node))
        if rule is None:
            refuse(node, "it is not on the list")
        check_parts(node, *rule.parts)
        return rule.render(node, self)

    def typed(self, node: exp.Expr) -> Value:
        """Render an expression whose kind is known.  Raises NotColumnar."""
        value = self.value(node)
        if value.kind == UNKNOWN:
            refuse(node, "its type depends on what stands around it")
        return value

    def condition(self, node: exp.Expr) -> Value:
        """Render a condition.  Raises NotColumnar."""
        value = self.value(node)
        if value.is_null:
            return Value("CAST(NULL AS BOOLEAN)", Kind("bool"))
        if value.kind.name != "bool":
            refuse(node, "it is not a condition")
        return value


def refuse(node: exp.Expr, why: str) -> NoReturn:
    """Raise NotColumnar for `node`."""
    raise NotColumnar(render(node), why)


def raises(*values: Value) -> bool:
    """Tell whether one of them may raise."""
    return any(value.raises for value in values)

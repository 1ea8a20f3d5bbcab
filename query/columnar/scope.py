"""Which columns a SELECT may name, and what they are in DuckDB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from query.columnar.errors import NotColumnar
from query.columnar.values import Value
from query.dialect import render
from query.statement import identifier


@dataclass(frozen=True)
class Source:
    """One item of FROM: the name it has in the query, and its columns by their names.

    A column without a value is one that cannot be rendered.
    """

    name: str | None
    columns: Mapping[str, Value | None]


@dataclass(frozen=True)
class Rows:
    """A rendered query: its SQL, and its columns' names as the query around it sees them.

    The values' texts are the columns' names in DuckDB, to be put behind the alias and a dot.
    `items` are the expressions of a SELECT by those names, and `around` what stands before and
    behind them; a UNION has none.
    """

    sql: str
    columns: tuple[tuple[str, Value], ...]
    items: tuple[tuple[str, str], ...] = ()
    around: tuple[str, str] = ("", "")

    def only(self, name: str) -> str:
        """Return a SELECT of the one column that DuckDB knows by `name`."""
        if not self.items:
            return f"SELECT {name} FROM ({self.sql})"
        text = dict(self.items)[name]
        return f"{self.around[0]}{text} AS {name}{self.around[1]}"


@dataclass(frozen=True)
class Scope:
    """The items of one FROM, and the scope of the query around."""

    sources: Sequence[Source] = ()
    outer: "Scope | None" = None
    withs: Mapping[str, Rows] = field(default_factory=dict)

    def owns(self, node: exp.Column) -> bool:
        """Tell whether a column is of this FROM, and not of the query around."""
        table = node.args.get("table")
        of = identifier(table) if isinstance(table, exp.Identifier) else None
        name = identifier(node.this) if isinstance(node.this, exp.Identifier) else ""
        return any(
            (of is None or source.name == of) and name in source.columns for source in self.sources
        )

    def find(self, node: exp.Column) -> Value:
        """Return the column that `node` names.  Raises NotColumnar."""
        name = identifier(node.this) if isinstance(node.this, exp.Identifier) else ""
        table = node.args.get("table")
        if node.args.get("db") is not None or not name:
            raise NotColumnar(render(node), "such a name is not read")
        of = identifier(table) if isinstance(table, exp.Identifier) else None
        scope: Scope | None = self
        while scope is not None:
            owners = [
                source
                for source in scope.sources
                if (of is None or source.name == of) and name in source.columns
            ]
            if len(owners) > 1:
                raise NotColumnar(render(node), "more than one table has it")
            if owners:
                value = owners[0].columns[name]
                if value is None:
                    raise NotColumnar(render(node), "a column of this type is not kept in segments")
                return value
            scope = scope.outer
        raise NotColumnar(render(node), "it is not a column that is known here")

"""What the FROM clause of a SELECT brings into scope, and which of it can be split."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from query.catalog import Catalog, Table
from query.statement import TableName, identifier
from query.trees import copied


@dataclass(frozen=True)
class Body:
    """The query of a subquery in FROM or of a CTE, and the CTEs that it may read."""

    query: exp.Expr
    withs: "Withs"


# CTEs by name; None: one whose body stands for more than the one reference
Withs = Mapping[str, Body | None]


@dataclass(frozen=True)
class Source:
    """One item of FROM: its alias, and its table where it is one, or else its body.

    `given` is the table's name as the query gives it, `node` the item itself.  `body` is there
    for subqueries, and for CTEs that are read here alone.

    `is_kept` tells that each row of the result stems from one row of this item, or from rows of
    the others alone only where that does not depend on this one: so results over parts of it
    add up to the result over all of it.
    """

    alias: exp.Identifier | None
    given: TableName | None
    table: Table | None
    is_kept: bool
    node: exp.Expr
    body: Body | None = None

    @property
    def name(self) -> str | None:
        """The name by which columns refer to it."""
        return identifier(self.alias) if self.alias is not None else None


@dataclass(frozen=True)
class Scope:
    """The items of FROM in their order.  `merges_columns` tells of USING or NATURAL joins.

    `withs` are the CTEs that subqueries of this SELECT may read.
    """

    sources: tuple[Source, ...]
    merges_columns: bool
    withs: Withs = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Tell whether all columns in scope are known."""
        return all(source.table is not None for source in self.sources)

    def has_column(self, name: str) -> bool | None:
        """Tell whether an unqualified name is a column in scope; None: cannot be known."""
        if any(
            source.table is not None and name in source.table.columns for source in self.sources
        ):
            return True
        return False if self.is_known else None

    def qualify(self, column: exp.Column) -> exp.Column:
        """Return the column with its source's alias, where exactly one source has it."""
        if column.table or self.merges_columns or not self.is_known:
            return column
        name = identifier(column.this)
        owners = [
            source
            for source in self.sources
            if source.table is not None and name in source.table.columns
        ]
        if len(owners) != 1 or owners[0].alias is None:
            return column
        return exp.Column(this=copied(column.this), table=copied(owners[0].alias))


def scope_of(
    tree: exp.Select,
    catalog: Catalog,
    outer: Withs | None = None,
    read_once: frozenset[str] = frozenset(),
) -> Scope:
    """Read the FROM clause.

    `outer` are the CTEs of queries around this one; `read_once` names those that one place of
    the whole statement reads.
    """
    withs = _withs(tree, outer or {}, read_once)
    from_ = tree.args.get("from_")
    if from_ is None:
        return Scope((), merges_columns=False, withs=withs)
    joins: list[exp.Join] = tree.args.get("joins") or []
    reader = _FromReader(catalog, withs)
    sources = tuple(reader.read(from_.this, joins, kept=True))
    return Scope(sources, reader.merges_columns, withs)


class _FromReader:
    """Reads FROM: a comma or join list, with joins in parentheses inside."""

    def __init__(self, catalog: Catalog, withs: Withs) -> None:
        self._catalog = catalog
        self._withs = withs
        self.merges_columns = False

    def read(self, first: exp.Expr, joins: Sequence[exp.Join], *, kept: bool) -> Iterator[Source]:
        """Yield the sources of `first` and what is joined to it.

        A row of an item is kept when no later join is RIGHT or FULL (those would add rows that
        match nothing, once for each fragment) and it does not stand on the nullable side itself.
        """
        for place, item in enumerate([first, *[join.this for join in joins]]):
            own = joins[place - 1] if place else None
            stays = kept and not any(join.side in ("RIGHT", "FULL") for join in joins[place:])
            if own is not None:
                stays = stays and own.side in ("", "RIGHT") and own.kind not in ("SEMI", "ANTI")
                merging = bool(own.args.get("using")) or own.method == "NATURAL"
                self.merges_columns = self.merges_columns or merging
            inner = item.this if isinstance(item, exp.Subquery) else None
            if isinstance(inner, exp.Table | exp.Subquery) and inner.args.get("joins"):
                # joins in parentheses; an alias for all of them would hide the tables' own
                bare = item.args.get("alias") is None
                yield from self.read(inner, inner.args["joins"], kept=stays and bare)
            else:
                yield self._source(item, kept=stays)

    def _source(self, item: exp.Expr, *, kept: bool) -> Source:
        alias = item.args.get("alias")
        name = alias.this if isinstance(alias, exp.TableAlias) else None
        if isinstance(item, exp.Subquery) and not item.args.get("sample"):
            return Source(name, None, None, kept, item, Body(item.this, self._withs))
        if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier):
            return Source(name, None, None, is_kept=False, node=item)
        schema = identifier(item.args["db"]) if item.args.get("db") else None
        given = TableName(schema, identifier(item.this))
        name = name or item.this
        if item.args.get("sample"):
            return Source(name, None, None, is_kept=False, node=item)
        if schema is None and given.name in self._withs:
            return Source(name, None, None, kept, item, self._withs[given.name])
        renames = isinstance(alias, exp.TableAlias) and bool(alias.args.get("columns"))
        if renames or item.args.get("only"):
            return Source(name, None, None, is_kept=False, node=item)
        return Source(name, given, self._catalog.tables.get(given), kept, item)


def _withs(tree: exp.Select, outer: Withs, read_once: frozenset[str]) -> Withs:
    with_ = tree.args.get("with_")
    if with_ is None:
        return outer
    known = dict(outer)
    for cte in with_.expressions:
        name = identifier(cte.args["alias"].this)
        body = Body(cte.this, dict(known)) if name in read_once and not with_.recursive else None
        known[name] = body
    return known

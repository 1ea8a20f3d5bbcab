"""What the FROM clause of a SELECT brings into scope, and which of it can be split."""

from dataclasses import dataclass

from sqlglot import exp

from query.catalog import Catalog, Table
from query.statement import TableName, identifier


@dataclass(frozen=True)
class Source:
    """One item of FROM: its alias, and its table where it is one (else a subquery or CTE).

    `given` is the table's name as the query gives it.

    `is_kept` tells that each row of the result stems from one row of this table, or from rows of
    the others alone only where that does not depend on this table: so results over parts of it
    add up to the result over all of it.
    """

    alias: exp.Identifier | None
    given: TableName | None
    table: Table | None
    is_kept: bool

    @property
    def name(self) -> str | None:
        """The name by which columns refer to it."""
        return identifier(self.alias) if self.alias is not None else None


@dataclass(frozen=True)
class Scope:
    """The items of FROM in their order.  `merges_columns` tells of USING or NATURAL joins."""

    sources: tuple[Source, ...]
    merges_columns: bool

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
        return exp.Column(this=column.this.copy(), table=owners[0].alias.copy())

    def driving(self) -> Source | None:
        """Return the largest table that can be split, None if there is none."""
        candidates = [
            source
            for source in self.sources
            if source.is_kept
            and source.alias is not None
            and source.table is not None
            and source.table.kind == "r"
            and source.table.plain
        ]
        largest: Source | None = None
        for source in candidates:
            if largest is None or _blocks(source) > _blocks(largest):
                largest = source
        return largest


def scope_of(tree: exp.Select, catalog: Catalog) -> Scope:
    """Read the FROM clause.

    A row of a table is kept when no later join is RIGHT or FULL (those would add rows that match
    nothing, once for each fragment) and the table itself does not stand on the nullable side.
    """
    from_ = tree.args.get("from_")
    if from_ is None:
        return Scope((), merges_columns=False)
    with_names = _with_names(tree)
    joins: list[exp.Join] = tree.args.get("joins") or []
    sources = []
    merges = False
    for place, item in enumerate([from_.this, *[join.this for join in joins]]):
        later = joins[place:]
        side = joins[place - 1].side if place else ""
        kept = side in ("", "RIGHT") and not any(join.side in ("RIGHT", "FULL") for join in later)
        if place and (joins[place - 1].kind in ("SEMI", "ANTI") or item.args.get("joins")):
            kept = False
        sources.append(_source(item, with_names, catalog, kept=kept))
    for join in joins:
        merges = merges or bool(join.args.get("using")) or join.method == "NATURAL"
    return Scope(tuple(sources), merges)


def _source(item: exp.Expr, with_names: frozenset[str], catalog: Catalog, *, kept: bool) -> Source:
    alias = item.args.get("alias")
    alias_name = alias.this if isinstance(alias, exp.TableAlias) else None
    has_own_columns = isinstance(alias, exp.TableAlias) and bool(alias.args.get("columns"))
    if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier):
        return Source(alias_name, None, None, is_kept=False)
    schema = identifier(item.args["db"]) if item.args.get("db") else None
    name = TableName(schema, identifier(item.this))
    if schema is None and name.name in with_names:
        return Source(alias_name or item.this, None, None, is_kept=False)
    if has_own_columns or item.args.get("joins") or item.args.get("only"):
        return Source(alias_name or item.this, None, None, is_kept=False)
    return Source(alias_name or item.this, name, catalog.tables.get(name), is_kept=kept)


def _with_names(tree: exp.Select) -> frozenset[str]:
    with_ = tree.args.get("with_")
    if with_ is None:
        return frozenset()
    return frozenset(identifier(cte.args["alias"].this) for cte in with_.expressions)


def _blocks(source: Source) -> int:
    return source.table.blocks if source.table is not None else -1

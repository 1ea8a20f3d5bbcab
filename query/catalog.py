"""Facts about tables that planning needs, as the caller read them from PostgreSQL's catalog."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from query.statement import TableName

HEAPS = frozenset({"r", "m", "p"})  # relations whose rows lie in heaps: their own, or below them


@dataclass(frozen=True)
class Table:
    """An ordinary or other relation.

    `kind` is `pg_class.relkind`: r table, p partitioned, v view, m materialized view, f foreign.
    `heaps` are the sizes in pages of the heaps that its rows lie in: its own, and those of its
    partitions or inheritance children.  `columns` maps names to type oids, `ambiguous` names
    those whose equal values may look different, `primary_key` its columns.  `plain` is False
    where rows come from elsewhere than heaps, or are hidden from some: a foreign table below it,
    row-level security, a table access method of its own, another schema than the exposed one.
    `definition` is the query of a view that may be read in its place.
    """

    oid: int
    schema: str
    name: str
    kind: str
    plain: bool
    heaps: tuple[int, ...]
    columns: Mapping[str, int]
    primary_key: frozenset[str] = frozenset()
    ambiguous: frozenset[str] = frozenset()
    definition: str | None = None

    @property
    def blocks(self) -> int:
        """Size in pages, of all heaps."""
        return sum(self.heaps)

    @property
    def is_splittable(self) -> bool:
        """Tell whether ranges of row addresses hold each of its rows exactly once."""
        return self.plain and self.kind in HEAPS

    @property
    def has_children(self) -> bool:
        """Tell whether rows may lie in other tables than itself."""
        return self.kind == "p" or len(self.heaps) > 1


@dataclass(frozen=True)
class Catalog:
    """The tables of one query by the names it uses, and facts about the functions it calls.

    `shadowing` holds the names among those that the query calls which are functions of the
    exposed schema: such a call may not be the built-in function that planning knows to be safe.
    `immutable` holds those under which PostgreSQL has only functions that are immutable, safe to
    run in parallel, and neither aggregates nor set-returning.  `renamed` are names under which
    the query gives something else than a table's own column.
    """

    tables: Mapping[TableName, Table]
    shadowing: frozenset[str] = field(default_factory=frozenset)
    immutable: frozenset[str] = field(default_factory=frozenset)
    renamed: frozenset[str] = field(default_factory=frozenset)

    def types_of(self, column: str) -> frozenset[int]:
        """Return the types that a column of this name may have; none: they are not known."""
        if column in self.renamed:
            return frozenset()
        return frozenset(
            table.columns[column] for table in self.tables.values() if column in table.columns
        )

    def is_ambiguous(self, column: str) -> bool:
        """Tell whether equal values in a column of this name may look different, or may be any."""
        owners = [table for table in self.tables.values() if column in table.columns]
        return (
            not owners
            or column in self.renamed
            or any(column in table.ambiguous for table in owners)
        )

    def fingerprint(self) -> Hashable:
        """Return what a split depends on: all but sizes, of which only the order counts."""
        by_size = sorted(self.tables.items(), key=lambda item: item[1].blocks)
        shapes = tuple(
            (name, table.oid, table.kind, table.plain, tuple(table.columns.items()),
             table.primary_key, table.ambiguous, table.definition)
            for name, table in by_size
        )  # fmt: skip
        return shapes, self.shadowing, self.immutable

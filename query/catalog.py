"""Facts about tables that planning needs, as the caller read them from PostgreSQL's catalog."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from query.statement import TableName


@dataclass(frozen=True)
class Table:
    """An ordinary or other relation.

    `kind` is `pg_class.relkind`: r table, p partitioned, v view, m materialized view, f foreign.
    `blocks` is its size in pages, `columns` maps names to type oids, `primary_key` names its
    columns.  `plain` is False where rows come from elsewhere than its own heap, or are hidden
    from some: inheritance children, row-level security, a table access method of its own,
    another schema than the exposed one.
    """

    oid: int
    schema: str
    name: str
    kind: str
    plain: bool
    blocks: int
    columns: Mapping[str, int]
    primary_key: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Catalog:
    """The tables of one query by the names it uses, and functions that hide built-in ones.

    `shadowing` holds the names among those that the query calls which are functions of the
    exposed schema: such a call may not be the built-in function that planning knows to be safe.
    """

    tables: Mapping[TableName, Table]
    shadowing: frozenset[str] = field(default_factory=frozenset)

    def fingerprint(self) -> Hashable:
        """Return what a split depends on: all but sizes, of which only the order counts."""
        by_size = sorted(self.tables.items(), key=lambda item: item[1].blocks)
        shapes = tuple(
            (name, table.oid, table.kind, table.plain, tuple(table.columns.items()),
             table.primary_key)
            for name, table in by_size
        )  # fmt: skip
        return shapes, self.shadowing

"""A query that is to be planned over segments, and what PostgreSQL says of it."""

from collections.abc import Collection
from dataclasses import dataclass

from app.queries.request import QueryInput
from app.queries.transaction import Described, ReadTransaction
from query.catalog import Catalog
from query.explained import Explained
from query.statement import Statement
from tasks.capacity import Capacity


@dataclass(frozen=True)
class Asked:
    """A query with all that is known of it."""

    transaction: ReadTransaction
    statement: Statement
    query: QueryInput
    explained: Explained
    capacity: Capacity
    without: Collection[int]

    @property
    def is_forced(self) -> bool:
        """Tell whether the request insists on segments."""
        return self.query.engine == "columnar"


@dataclass(frozen=True)
class Read:
    """What PostgreSQL says of it: its tables, its columns, and the types of its parameters."""

    statement: Statement
    catalog: Catalog
    described: Described
    types: tuple[str, ...]

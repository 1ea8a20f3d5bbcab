"""How a query runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.queries.columnar.plan import ColumnarPlan
from query.catalog import Table
from query.explained import Explained
from query.fragment import ColumnType
from query.planned import PlannedFragment
from query.split import SplitPlan
from query.statement import TableName
from query.types import TypeFact


@dataclass(frozen=True)
class Plan:
    """How a query runs.  `split` None: direct, because of `reason`.

    `table` is the largest of what is cut, `tables` are all that are read, by the names they have in
    the query.  `parts` are the fragments, chosen for `slots`.  `described` are the columns
    that the whole query has, so that the merge can be held to them.  `has_children` tells that it
    reads tables whose rows lie in others, which may come and go.  `busy_s`: it is direct because no
    slot is free, for so long at a guess.  With `columnar` there are fragments over segments, and
    `parts` are those for the rest; else `not_columnar` says why there are none.
    `accelerated` are the oids of accelerated tables, where it might have been either.
    """

    reason: str
    explained: Explained | None = None
    split: SplitPlan | None = None
    table: Table | None = None
    parts: tuple[PlannedFragment, ...] = ()
    described: tuple[ColumnType, ...] = ()
    partial_types: tuple[TypeFact, ...] = ()
    has_children: bool = False
    tables: Mapping[TableName, Table] = field(default_factory=dict)
    slots: int = 0
    busy_s: float | None = None
    columnar: ColumnarPlan | None = None
    not_columnar: str = ""
    accelerated: tuple[int, ...] = ()

    @property
    def mode(self) -> str:
        """What the answer says of how it was computed."""
        if self.split is None:
            return "direct"
        return "partitioned" if self.columnar is None else self.columnar.mode

    @property
    def fragments(self) -> int:
        """How many fragments there are, of all kinds."""
        return len(self.parts) + (len(self.columnar.parts) if self.columnar else 0)

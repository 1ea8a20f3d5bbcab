"""A query as fragments over segments: shared out by rows of one table, or all in one piece.

    SELECT n, count(*) FROM (SELECT k, count(*) AS n FROM t GROUP BY k) AS x GROUP BY n ORDER BY n

cannot be cut, since each n needs all rows of its k.  Over segments that are all clean it may be
one fragment nevertheless: the same partial columns as of a part, over all rows, and the merge on
PostgreSQL, which divides, rounds and sorts.
"""

from collections.abc import Sequence

from sqlglot import exp

from query.aggregates import CannotSplit
from query.branches import as_select
from query.catalog import Catalog, Table
from query.cuts import Cutter
from query.grouped import GroupedSplit
from query.keyed import has_row_windows
from query.merge import Merge
from query.split import (
    CHECK_TYPE,
    COLUMNAR_RULES,
    KeyedTemplate,
    keyed_template,
    kind_of,
    reasons_whole,
)
from query.statement import Statement
from query.trees import copied
from query.types import TypeFact
from query.windows import inline_windows


class Pieces:
    """A query whose partials merge, whether or not its rows can be shared out.

    Segments of the driving table may be shared out among fragments; without one there must be one
    fragment.  `is_columnar_only` tells that PostgreSQL may run no fragment of it, since a query
    inside may pick among values that are equal and look different; those that are rendered cannot.
    """

    def __init__(self, statement: Statement, names: Sequence[str], catalog: Catalog) -> None:
        """Raise CannotSplit where partials of it do not merge."""
        for reason in reasons_whole(statement, catalog, COLUMNAR_RULES):
            raise CannotSplit(reason)
        self.is_columnar_only = any(True for _ in reasons_whole(statement, catalog))
        tree = copied(as_select(statement.tree, len(names)))
        if not isinstance(tree, exp.Select):
            raise CannotSplit("set operations but UNION, and VALUES, are not split")
        inline_windows(tree)
        cutter = Cutter(tree, catalog)
        cuts = [] if has_row_windows(tree) else cutter.cuts
        is_plain = len(cuts) == 1 and not cuts[0].dropped
        self._cut = cuts[0] if is_plain else None
        self._catalog = catalog
        self._kind = kind_of(tree, names, cutter.scope, catalog)

    @property
    def driving(self) -> int | None:
        """The number of the node of the driving table, if there is one."""
        return None if self._cut is None else self._cut.place

    @property
    def table(self) -> Table | None:
        """The driving table."""
        return None if self._cut is None else self._cut.table

    def by_key(
        self, fragment: exp.Select, parameter_types: Sequence[str], column: str
    ) -> KeyedTemplate:
        """Return the finished `fragment` for PostgreSQL, over ranges of the driving table's key."""
        assert self._cut is not None  # noqa: S101 - there is a driving table
        return keyed_template(
            fragment, self._cut, column, parameter_types, self._catalog,
            nullable=False, is_needed=True,
        )  # fmt: skip

    def fragment(self) -> exp.Select:
        """Return the query over all rows, for PostgreSQL to describe its columns."""
        return self._kind.fragment()

    def first_groups(self, fragment: exp.Select) -> exp.Select | None:
        """Return the finished `fragment`, in one piece: the groups that LIMIT and HAVING leave.

        None where there is no such thing.
        """
        if not isinstance(self._kind, GroupedSplit):
            return None
        return self._kind.first_groups(fragment)

    def first_merge(
        self, types: Sequence[TypeFact], parameter_types: Sequence[str], fragment: exp.Select
    ) -> Merge | None:
        """Return the merge of first_groups(), None where there is no such thing."""
        if not isinstance(self._kind, GroupedSplit) or self._kind.first_groups(fragment) is None:
            return None
        _, merge = self._kind.finish(types, parameter_types, CHECK_TYPE, is_decided=True)
        return merge

    def finish(
        self, types: Sequence[TypeFact], parameter_types: Sequence[str]
    ) -> tuple[exp.Select, Merge | None]:
        """Return the query over all rows with the columns that the merge wants, and the merge.

        `types` are those of the columns of `fragment()`.  Raises CannotSplit.
        """
        return self._kind.finish(types, parameter_types, CHECK_TYPE)

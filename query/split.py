"""Whether and how a query splits exactly: the rules, in the order in which they are asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.aggregates import CannotSplit
from query.canonical import BoundSql, bind
from query.catalog import Catalog
from query.grouped import GroupedSplit, is_grouped
from query.merge import Merge
from query.rowwise import RowSplit
from query.safety import unsafe_reason
from query.scope import Scope, scope_of
from query.statement import Statement, TableName
from query.types import INT4, TypeFact

CHECK_TYPE = TypeFact(INT4, -1, "integer", "integer")


@dataclass(frozen=True)
class SplitPlan:
    """How a query runs in parts.

    `table` is the driving table's name in the query.  The parameters of `fragment` behind the
    user's own are two `tid`: the first row of the partition, and the first one behind it.  Without
    `merge` the partials follow each other.
    """

    table: TableName
    fragment: BoundSql
    merge: Merge | None


class Split:
    """A query that splits if the types of its partials allow."""

    def __init__(self, tree: exp.Select, names: Sequence[str], scope: Scope) -> None:
        driving = scope.driving()
        if driving is None or driving.alias is None or driving.given is None:
            raise CannotSplit("no table in it can be split: " + _why_no_table(scope))
        self._alias = driving.alias
        self.table = driving.given
        self._tree = tree
        kind = GroupedSplit if is_grouped(tree) else RowSplit
        self._kind = kind(tree, names, scope)

    def whole(self, parameter_types: Sequence[str]) -> BoundSql:
        """Return the whole query as we understood it.

        PostgreSQL must plan it exactly as the user's own text, or we misread that.
        """
        return bind(self._tree, parameter_types)

    def probe(self, parameter_types: Sequence[str]) -> BoundSql:
        """Return a fragment for PostgreSQL to describe: the types of the partials' columns."""
        return self._restricted(self._kind.fragment(), parameter_types)

    def finish(self, types: Sequence[TypeFact], parameter_types: Sequence[str]) -> SplitPlan:
        """Return the plan for partials with columns of `types`.  Raises CannotSplit."""
        fragment, merge = self._kind.finish(types, parameter_types, CHECK_TYPE)
        return SplitPlan(self.table, self._restricted(fragment, parameter_types), merge)

    def _restricted(self, fragment: exp.Select, parameter_types: Sequence[str]) -> BoundSql:
        unbound = fragment.copy()
        first = len(parameter_types) + 1
        low = exp.GTE(this=self._ctid(), expression=_tid(first))
        high = exp.LT(this=self._ctid(), expression=_tid(first + 1))
        condition: exp.Expr = exp.And(this=low, expression=high)
        where = unbound.args.get("where")
        if where is not None:
            condition = exp.And(this=exp.Paren(this=where.this), expression=condition)
        unbound.set("where", exp.Where(this=condition))
        return bind(unbound, [*parameter_types, "tid", "tid"])

    def _ctid(self) -> exp.Column:
        return exp.Column(this=exp.to_identifier("ctid"), table=self._alias.copy())


def _tid(number: int) -> exp.Parameter:
    return exp.Parameter(this=exp.Literal.number(number))


def _why_no_table(scope: Scope) -> str:
    if not scope.sources:
        return "it reads none"
    for source in scope.sources:
        if source.table is None:
            continue
        if source.table.kind != "r":
            return f"{source.table.name} is no ordinary table"
        if not source.table.plain:
            return f"{source.table.name} has children, row security, or is out of reach"
    if all(source.table is None for source in scope.sources):
        return "FROM holds only subqueries"
    return "outer joins add rows to all of them"


def _is_select(tree: exp.Expr, _: Catalog) -> str | None:
    if isinstance(tree, exp.Select):
        return None
    return "set operations and VALUES are not split"


def _is_plain_with(tree: exp.Expr, _: Catalog) -> str | None:
    with_ = tree.args.get("with_")
    return "recursive queries are not split" if with_ is not None and with_.recursive else None


def _has_known_tables(_: exp.Expr, catalog: Catalog) -> str | None:
    for table in catalog.tables.values():
        if table.kind not in ("r", "m", "p"):
            return f"{table.name} is a view or foreign table, whose rows are made elsewhere"
        if not table.plain and table.kind == "r":
            return f"{table.name} has children, row security, or is out of reach"
    return None


def _is_safe(tree: exp.Expr, catalog: Catalog) -> str | None:
    return unsafe_reason(tree, catalog) if isinstance(tree, exp.Select) else None


def _has_outputs(tree: exp.Expr, _: Catalog) -> str | None:
    return None if tree.args.get("expressions") else "it has no output columns"


RULES: tuple[Callable[[exp.Expr, Catalog], str | None], ...] = (
    _is_select,
    _is_plain_with,
    _has_outputs,
    _has_known_tables,
    _is_safe,
)


def why_whole(statement: Statement, catalog: Catalog) -> str | None:
    """Return the first reason to run `statement` whole, None if there is none so far."""
    for rule in RULES:
        reason = rule(statement.tree, catalog)
        if reason is not None:
            return reason
    return None


def split(statement: Statement, names: Sequence[str], catalog: Catalog) -> Split:
    """Split `statement`, whose output columns PostgreSQL calls `names`.

    Raises CannotSplit with the reason to run it whole.
    """
    reason = why_whole(statement, catalog)
    tree = statement.tree
    if reason is not None or not isinstance(tree, exp.Select):
        raise CannotSplit(reason or "it is no SELECT")
    return Split(tree, names, scope_of(tree, catalog))

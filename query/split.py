"""Whether and how a query splits exactly: the rules, in the order in which they are asked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.aggregates import CannotSplit
from query.branches import as_select
from query.canonical import BoundSql, bind
from query.catalog import Catalog, Table
from query.cuts import PLACE, Cut, Cutter, cut_out
from query.grouped import GroupedSplit, is_grouped
from query.merge import Merge
from query.rowwise import RowSplit
from query.safety import unsafe_reason
from query.scope import Scope
from query.statement import Statement, TableName
from query.trees import copied
from query.types import INT4, TypeFact

CHECK_TYPE = TypeFact(INT4, -1, "integer", "integer")
MAX_TEMPLATES = 32


@dataclass(frozen=True)
class FragmentTemplate:
    """The query for the partitions of one cut.

    `table` is the driving table's name in the query.  The parameters of `sql` behind the user's
    own are then two `tid`: the first row of the partition, and the first one behind it.  Without
    a table there are none, and the template makes one fragment.
    """

    sql: BoundSql
    table: TableName | None


@dataclass(frozen=True)
class SplitPlan:
    """How a query runs in parts: its answer is the merge of the partials of all templates.

    Without `merge` the partials follow each other.
    """

    templates: tuple[FragmentTemplate, ...]
    merge: Merge | None


class Split:
    """A query that splits if the types of its partials allow."""

    def __init__(self, statement: Statement, names: Sequence[str], catalog: Catalog) -> None:
        self._statement = statement
        self._catalog = catalog
        tree = copied(as_select(statement.tree, len(names)))
        if not isinstance(tree, exp.Select):
            raise CannotSplit("set operations but UNION, and VALUES, are not split")
        cutter = Cutter(tree, catalog)
        self._cuts = cutter.cuts
        if not self._cuts:
            raise CannotSplit("no table in it can be split: " + _why_no_table(cutter.scope))
        if len(self._cuts) > MAX_TEMPLATES:
            raise CannotSplit(f"more than {MAX_TEMPLATES} branches of UNION are not split")
        kind = GroupedSplit if is_grouped(tree) else RowSplit
        self._kind = kind(tree, names, cutter.scope)
        self._probed: tuple[exp.Select | None, FragmentTemplate | None] = None, None

    def whole(self, parameter_types: Sequence[str]) -> BoundSql:
        """Return the whole query as we understood it.

        PostgreSQL must plan it exactly as the user's own text, or we misread that.
        """
        if not parameter_types:
            return BoundSql(self._statement.written, ())
        return bind(copied(self._statement.tree), parameter_types)

    def probe(self, parameter_types: Sequence[str]) -> FragmentTemplate:
        """Return a fragment for PostgreSQL to describe: the types of the partials' columns."""
        fragment = self._kind.fragment()
        template = self._template(fragment, self._cuts[0], parameter_types)
        self._probed = fragment, template
        return template

    def finish(self, types: Sequence[TypeFact], parameter_types: Sequence[str]) -> SplitPlan:
        """Return the plan for partials with columns of `types`, as `probe` has them.

        Raises CannotSplit.
        """
        fragment, merge = self._kind.finish(types, parameter_types, CHECK_TYPE)
        first, *others = self._cuts
        probed, template = self._probed
        if template is None or fragment is not probed:  # often they are the same
            template = self._template(fragment, first, parameter_types)
        more = [self._template(fragment, cut, parameter_types) for cut in others]
        return SplitPlan((template, *more), merge)

    def _template(
        self, fragment: exp.Select, cut: Cut, parameter_types: Sequence[str]
    ) -> FragmentTemplate:
        unbound = copied(fragment)
        types = [*parameter_types]
        condition: exp.Expr | None = None
        if cut.given is not None:
            condition = _range_of(unbound, cut, first_parameter=len(types) + 1)
            types += ["tid", "tid"]
        cut_out(unbound, cut, condition, self._catalog)
        return FragmentTemplate(bind(unbound, types), cut.given)


def _range_of(fragment: exp.Select, cut: Cut, *, first_parameter: int) -> exp.Expr:
    (node,) = [
        table for table in fragment.find_all(exp.Table) if table.meta.get(PLACE) == cut.place
    ]
    alias = node.args.get("alias")
    name = alias.this if isinstance(alias, exp.TableAlias) else node.this
    ctid = exp.Column(this=exp.to_identifier("ctid"), table=copied(name))
    low = exp.GTE(this=ctid, expression=_tid(first_parameter))
    high = exp.LT(this=copied(ctid), expression=_tid(first_parameter + 1))
    return exp.And(this=low, expression=high)


def _tid(number: int) -> exp.Parameter:
    return exp.Parameter(this=exp.Literal.number(number))


def _why_no_table(scope: Scope) -> str:
    if not scope.sources:
        return "it reads none"
    if all(source.table is None for source in scope.sources):
        return "FROM holds only subqueries whose rows do not stem from one table's each"
    return "outer joins add rows to all of them"


def _is_plain_with(tree: exp.Expr, _: Catalog) -> str | None:
    recursive = any(with_.recursive for with_ in tree.find_all(exp.With))
    return "recursive queries are not split" if recursive else None


def _has_known_tables(_: exp.Expr, catalog: Catalog) -> str | None:
    for table in catalog.tables.values():
        reason = _why_not(table)
        if reason is not None:
            return reason
    return None


def _why_not(table: Table) -> str | None:
    if table.kind == "v":
        return f"{table.name} is a view that cannot be read as a part of the query"
    if table.kind == "f":
        return f"{table.name} is a foreign table, whose rows are made elsewhere"
    if not table.is_splittable:
        return f"{table.name} has row security or foreign parts, or is out of reach"
    return None


def _is_safe(tree: exp.Expr, catalog: Catalog) -> str | None:
    return unsafe_reason(tree, catalog)


def _has_outputs(tree: exp.Expr, _: Catalog) -> str | None:
    if isinstance(tree, exp.Select) and not tree.args.get("expressions"):
        return "it has no output columns"
    return None


RULES: tuple[Callable[[exp.Expr, Catalog], str | None], ...] = (
    _is_plain_with,
    _has_outputs,
    _has_known_tables,
    _is_safe,
)


def reasons_whole(statement: Statement, catalog: Catalog) -> Iterator[str]:
    """Yield what the rules have against splitting `statement`; nothing, if that is all right."""
    for rule in RULES:
        reason = rule(statement.tree, catalog)
        if reason is not None:
            yield reason


def split(statement: Statement, names: Sequence[str], catalog: Catalog) -> Split:
    """Split `statement`, whose output columns PostgreSQL calls `names`.

    Raises CannotSplit with the reason to run it whole.
    """
    reason = next(reasons_whole(statement, catalog), None)
    if reason is not None:
        raise CannotSplit(reason)
    return Split(statement, names, catalog)

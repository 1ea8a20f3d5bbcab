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
from query.key_ranges import KEY_TYPES, range_condition
from query.keyed import KeyCut, has_row_windows, optional_cut, required_cut
from query.merge import Merge
from query.rowwise import RowSplit
from query.safety import unsafe_reason
from query.scope import Scope
from query.statement import Statement, TableName
from query.trees import copied
from query.types import INT4, TypeFact
from query.windows import inline_windows, own_windows, read_window, unique_columns

CHECK_TYPE = TypeFact(INT4, -1, "integer", "integer")
MAX_TEMPLATES = 32
Rule = Callable[[exp.Expr, Catalog], str | None]


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
class KeyedTemplate:
    """The queries for the first of the ranges of `column`, those between, and the last.

    Parameters behind the user's own are the lower and the upper bound of the range.
    `is_needed` tells that blocks would not do.
    """

    column: str
    is_needed: bool
    first: BoundSql
    between: BoundSql
    last: BoundSql


@dataclass(frozen=True)
class SplitPlan:
    """How a query runs in parts: its answer is the merge of the partials of all templates.

    Without `merge` the partials follow each other.  With `keyed` the one
    template is that of the ranges between.
    """

    templates: tuple[FragmentTemplate, ...]
    merge: Merge | None
    keyed: KeyedTemplate | None = None

    @property
    def size(self) -> int:
        """How many characters its texts have."""
        queries = [template.sql for template in self.templates]
        if self.keyed is not None:
            queries += [self.keyed.first, self.keyed.last]
        queries += [self.merge.query] if self.merge is not None else []
        return sum(len(query.sql) for query in queries)


def kind_of(
    tree: exp.Select, names: Sequence[str], scope: Scope, catalog: Catalog
) -> GroupedSplit | RowSplit:
    """Return how partials of `tree` merge.  Raises CannotSplit."""
    if is_grouped(tree):
        return GroupedSplit(tree, names, scope)
    unique = unique_columns(tree, catalog)
    windows = [read_window(node, tree) for node in own_windows(tree)]
    doubtful = [one for one in windows if one.shows_ties and not one.is_total(unique)]
    # windows that sort alike have the same doubt
    doubts = list(dict.fromkeys(one.tied() for one in doubtful))
    return RowSplit(tree, names, scope, doubts)


class Split:
    """A query that splits if the types of its partials allow."""

    def __init__(self, statement: Statement, names: Sequence[str], catalog: Catalog) -> None:
        self._statement = statement
        self._catalog = catalog
        tree = copied(as_select(statement.tree, len(names)))
        if not isinstance(tree, exp.Select):
            raise CannotSplit("set operations but UNION, and VALUES, are not split")
        inline_windows(tree)
        cutter = Cutter(tree, catalog)
        self._cuts = [] if has_row_windows(tree) else cutter.cuts
        if len(self._cuts) > MAX_TEMPLATES:
            raise CannotSplit(f"more than {MAX_TEMPLATES} branches of UNION are not split")
        if self._cuts:
            (cut, *others) = self._cuts
            self._keyed = None if others else optional_cut(cut, cutter)
        else:
            self._keyed = required_cut(tree, cutter, catalog)
        if not self._cuts and self._keyed is None:
            raise CannotSplit(_why_no_cut(tree, cutter.scope))
        self._kind = kind_of(tree, names, cutter.scope, catalog)
        self._probed: tuple[exp.Select | None, FragmentTemplate | None] = None, None

    @property
    def has_blocks(self) -> bool:
        """Tell whether it may be cut by blocks."""
        return bool(self._cuts)

    @property
    def keyed(self) -> KeyCut | None:
        """How it may be cut by the values of a column, if it may."""
        return self._keyed

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
        cut = self._cuts[0] if self._cuts else Cut(None, None, None)
        template = self._template(fragment, cut, parameter_types)
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

    def finish_by_key(
        self,
        types: Sequence[TypeFact],
        parameter_types: Sequence[str],
        column: str,
        *,
        nullable: bool,
    ) -> SplitPlan:
        """Return the plan for ranges of `column`, one of those of `keyed`.  Raises CannotSplit."""
        assert self._keyed is not None  # noqa: S101 - it names the column
        fragment, merge = self._kind.finish(types, parameter_types, CHECK_TYPE)
        keyed = keyed_template(
            fragment, self._keyed.cut, column, parameter_types, self._catalog,
            nullable=nullable, is_needed=not self._cuts,
        )  # fmt: skip
        template = FragmentTemplate(keyed.between, self._keyed.cut.given)
        return SplitPlan((template,), merge, keyed)

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


def keyed_template(
    fragment: exp.Select,
    cut: Cut,
    column: str,
    parameter_types: Sequence[str],
    catalog: Catalog,
    *,
    nullable: bool,
    is_needed: bool,
) -> KeyedTemplate:
    """Return `fragment` for ranges of a column of the table that `cut` names."""
    assert cut.table is not None  # noqa: S101 - the column is this table's
    low, high = _bound(len(parameter_types) + 1), _bound(len(parameter_types) + 2)
    bound_type = KEY_TYPES[cut.table.columns[column]]
    queries = []
    for first, last in ((None, high), (low, high), (low, None)):
        unbound = copied(fragment)
        key = _column_of(unbound, cut, column)
        condition = range_condition(key, first, last, nullable=nullable)
        cut_out(unbound, cut, condition, catalog)
        queries.append(bind(unbound, [*parameter_types, bound_type, bound_type]))
    return KeyedTemplate(column, is_needed, *queries)


def _range_of(fragment: exp.Select, cut: Cut, *, first_parameter: int) -> exp.Expr:
    ctid = _column_of(fragment, cut, "ctid")
    low = exp.GTE(this=ctid, expression=_bound(first_parameter))
    high = exp.LT(this=copied(ctid), expression=_bound(first_parameter + 1))
    return exp.And(this=low, expression=high)


def _column_of(fragment: exp.Select, cut: Cut, column: str) -> exp.Column:
    (node,) = [
        table for table in fragment.find_all(exp.Table) if table.meta.get(PLACE) == cut.place
    ]
    alias = node.args.get("alias")
    name = alias.this if isinstance(alias, exp.TableAlias) else node.this
    return exp.Column(this=exp.to_identifier(column, quoted=column != "ctid"), table=copied(name))


def _bound(number: int) -> exp.Parameter:
    return exp.Parameter(this=exp.Literal.number(number))


def _why_no_cut(tree: exp.Select, scope: Scope) -> str:
    if has_row_windows(tree):
        return (
            "its window functions are not all over partitions by a plain column of a table "
            "that can be split"
        )
    return "no table in it can be split: " + _why_no_table(scope)


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


def _is_safe_but_for_nested(tree: exp.Expr, catalog: Catalog) -> str | None:
    return unsafe_reason(tree, catalog, nested=False)


RULES: tuple[Rule, ...] = (
    _is_plain_with,
    _has_outputs,
    _has_known_tables,
    _is_safe,
)


# Equal values in segments look alike, so that a query inside means the same in each fragment.
COLUMNAR_RULES = (*RULES[:-1], _is_safe_but_for_nested)


def reasons_whole(
    statement: Statement, catalog: Catalog, rules: Sequence[Rule] = RULES
) -> Iterator[str]:
    """Yield what `rules` have against splitting `statement`; nothing, if that is all right."""
    for rule in rules:
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

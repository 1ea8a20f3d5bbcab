"""Where a query can be cut by the values of a column: what must stay together, does.

    SELECT k, sum(v) OVER (PARTITION BY k ORDER BY id) FROM t

may be cut by ranges of `k`: each fragment then has whole window partitions.  The same holds inside
a subquery in FROM, there for GROUP BY and DISTINCT as well, if the queries around it are cut by the
same column or take rows as they come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.aggregate_call import is_aggregate
from query.aggregates import CannotSplit
from query.branches import unwrapped
from query.catalog import Catalog
from query.cuts import ROW_BY_ROW, Cut, Cutter
from query.grouped import is_grouped
from query.key_ranges import KEY_TYPES
from query.safety import is_plain_call
from query.scope import Scope, Source, Withs
from query.statement import identifier
from query.trees import copied
from query.windows import is_window_function, own_windows, plain_columns, read_window

KEYED = ROW_BY_ROW | {"group", "having", "distinct", "windows"}
COMPARISONS = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


@dataclass(frozen=True)
class KeyCut:
    """A driving table that can be cut by the values of any one of `columns`.

    `conditions` are those of WHERE that compare the column of that place with constants: which
    values are there at all.  `filled` are the columns whose nulls such a condition leaves out.
    """

    cut: Cut
    columns: tuple[str, ...]
    conditions: tuple[tuple[exp.Expr, ...], ...]
    filled: frozenset[str]

    @classmethod
    def of(cls, cut: Cut, node: exp.Expr, names: Sequence[str]) -> "KeyCut":
        """Return the cut of the table at `node` by any of the columns `names`."""
        select = node.parent_select
        assert select is not None  # noqa: S101 - it stands in a FROM
        conditions = tuple(_conditions(select, node, name) for name in names)
        from_ = select.args.get("from_")
        is_alone = from_ is not None and from_.this is node and not select.args.get("joins")
        filled = frozenset(
            name
            for name, given in zip(names, conditions, strict=True)
            if any(
                is_alone or all(column.table for column in condition.find_all(exp.Column))
                for condition in given
            )
        )
        return cls(cut, tuple(names), conditions, filled)


# which of an item's columns may be cut by; None: any rows may be told from others
Wanted = frozenset[str] | None


def required_cut(tree: exp.Select, cutter: Cutter, catalog: Catalog) -> KeyCut | None:
    """Return the cut by values that keeps together what `tree` needs together, if there is one."""
    found = list(_Finder(cutter, catalog).of_select(tree, cutter.scope, None, outermost=True))
    return max(found, key=lambda one: one.cut.blocks, default=None)


def optional_cut(cut: Cut, cutter: Cutter) -> KeyCut | None:
    """Return the cut by values of what an index may serve, of a table cut anyhow; or None."""
    node = cutter.node_at(cut.place)
    if node is None or cut.table is None or cut.dropped:
        return None
    names = sorted(name for name, oid in cut.table.columns.items() if oid in KEY_TYPES)
    every = KeyCut.of(cut, node, names)
    compared = [name for name, given in zip(names, every.conditions, strict=True) if given]
    return KeyCut.of(cut, node, compared) if compared else None


def has_row_windows(tree: exp.Select) -> bool:
    """Tell whether window functions of `tree` are over rows, not over groups."""
    return any(True for _ in own_windows(tree)) and not is_grouped(tree)


class _Finder:
    def __init__(self, cutter: Cutter, catalog: Catalog) -> None:
        self._cutter = cutter
        self._catalog = catalog

    def of_select(
        self, select: exp.Select, scope: Scope, wanted: Wanted, *, outermost: bool
    ) -> Iterator[KeyCut]:
        """Yield the cuts of `select` by a column that one of the outputs `wanted` shows."""
        together = self._kept_together(select, outermost=outermost)
        if together is None:
            return
        if wanted is not None:
            together.append([column for name in wanted for column in _output(select, name)])
        places = [
            {place for column in columns for place in [_place(column, scope)] if place}
            for columns in together
        ]
        for number, source in enumerate(scope.sources):
            needed: Wanted = None
            for found in places:
                names = frozenset(name for item, name in found if item == number)
                needed = names if needed is None else needed & names
            if needed is None or needed:
                yield from self._of_source(source, needed)

    def _of_source(self, source: Source, needed: Wanted) -> Iterator[KeyCut]:
        if not source.is_kept or source.alias is None:
            return
        if source.body is not None:
            query = unwrapped(source.body.query)
            if isinstance(query, exp.Select):
                names = needed and frozenset(_inner_names(source, query, needed))
                if needed is None or names:
                    scope = self._scope(query, source.body.withs)
                    yield from self.of_select(query, scope, names, outermost=False)
            return
        if source.table is None or not source.table.is_splittable or needed is None:
            return
        columns = tuple(
            name for name in sorted(needed) if source.table.columns.get(name) in KEY_TYPES
        )
        if columns:
            place = self._cutter.number(source.node)
            yield KeyCut.of(Cut(place, source.given, source.table), source.node, columns)

    def _scope(self, query: exp.Select, withs: Withs) -> Scope:
        return self._cutter.scope_of(query, withs)

    def _kept_together(
        self, select: exp.Select, *, outermost: bool
    ) -> list[list[exp.Column]] | None:
        """Return for each thing that needs rows together the columns by which it does.

        None where that is not known.
        """
        together: list[list[exp.Column]] = []
        if outermost and is_grouped(select):
            return together  # the merge makes groups of groups
        try:
            together += [
                plain_columns(read_window(node, select).partition) for node in own_windows(select)
            ]
        except CannotSplit:
            return None
        if outermost:
            return together
        if any(value for part, value in select.args.items() if part not in KEYED):
            return None
        if not all(map(self._is_known, _own_calls(select))):
            return None
        group, distinct = select.args.get("group"), select.args.get("distinct")
        if is_grouped(select) and group is None and distinct is None:
            return None  # one row of all
        if group is not None:
            if any(value for part, value in group.args.items() if part != "expressions"):
                return None
            together.append(_meant(group.expressions, select))
        elif select.args.get("having") is not None or _aggregates_alone(select):
            return None
        if distinct is not None:
            on = distinct.args.get("on")
            keys = on.expressions if on is not None else select.expressions
            together.append(_meant([key.unalias() for key in keys], select))
        return together

    def _is_known(self, node: exp.Expr) -> bool:
        if isinstance(node, exp.Window | exp.Filter | exp.WithinGroup):
            return True
        return is_window_function(node) or is_aggregate(node) or is_plain_call(node, self._catalog)


def _own_calls(select: exp.Select) -> Iterator[exp.Expr]:
    for node in select.find_all(exp.Func, exp.Window, exp.Filter, exp.WithinGroup):
        if node.parent_select is select:
            yield node


def _aggregates_alone(select: exp.Select) -> bool:
    """Tell whether `select` has aggregates that are no window functions."""
    return any(is_aggregate(node) and not is_window_function(node) for node in _own_calls(select))


def _meant(keys: Sequence[exp.Expr], select: exp.Select) -> list[exp.Column]:
    """Return the columns among keys of GROUP BY or DISTINCT, which may be numbers of outputs.

    A bare name that is an output's as well is left out, unless both are the same.
    """
    found: list[exp.Expr] = []
    for key in keys:
        if isinstance(key, exp.Literal) and key.is_int:
            number = int(key.this) - 1
            has_star = any(output.is_star for output in select.expressions)
            if not has_star and 0 <= number < len(select.expressions):
                found.append(select.expressions[number].unalias())
        elif isinstance(key, exp.Column) and not key.table and not key.is_star:
            outputs = _output(select, identifier(key.this))
            if all(identifier(output.this) == identifier(key.this) for output in outputs):
                found.append(key if not outputs else outputs[0])
        else:
            found.append(key)
    return plain_columns(found)


def _output(select: exp.Select, name: str) -> list[exp.Column]:
    """Return the column that the output `name` shows, if it is one."""
    shown: list[exp.Expr] = []
    for output in select.expressions:
        if output.is_star:
            shown.append(exp.column(exp.to_identifier(name, quoted=True)))
        elif isinstance(output, exp.Alias) and identifier(output.args["alias"]) == name:
            shown.append(output.this)
        elif isinstance(output, exp.Column) and identifier(output.this) == name:
            shown.append(output)
    return plain_columns(shown) if len(shown) == 1 else []


def _inner_names(source: Source, query: exp.Select, names: frozenset[str]) -> Iterator[str]:
    """Yield what columns of a subquery are called inside; its alias may have names for them."""
    alias = source.node.args.get("alias")
    renamed = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
    if not renamed and isinstance(source.node, exp.Table):
        renamed = _cte_columns(query)
    if not renamed:
        yield from names
        return
    outer = [identifier(column) for column in renamed]
    outputs = query.expressions
    if any(output.is_star for output in outputs):
        return
    for name, output in zip(outer, outputs, strict=False):
        if name in names:
            yield _name_of(output)


def _name_of(output: exp.Expr) -> str:
    if isinstance(output, exp.Alias):
        return identifier(output.args["alias"])
    return identifier(output.this) if isinstance(output, exp.Column) else ""


def _cte_columns(query: exp.Select) -> list[exp.Expr]:
    above = query.parent
    while above is not None and not isinstance(above, exp.CTE):
        above = above.parent
    alias = above.args.get("alias") if above is not None else None
    return list(alias.args.get("columns") or []) if isinstance(alias, exp.TableAlias) else []


def _place(column: exp.Column, scope: Scope) -> tuple[int, str] | None:
    """Return the number of the item of FROM that has the column, and its name there."""
    name = identifier(column.this)
    table = column.args.get("table")
    if table is not None:
        if column.args.get("db"):
            return None
        numbers = [
            number
            for number, source in enumerate(scope.sources)
            if source.alias is not None and source.name == identifier(table)
        ]
        return (numbers[0], name) if len(numbers) == 1 else None
    if scope.merges_columns:
        return None
    if len(scope.sources) == 1:
        return 0, name
    qualified = scope.qualify(column)
    return _place(qualified, scope) if qualified.table else None


def _conditions(select: exp.Expr, node: exp.Expr, name: str) -> tuple[exp.Expr, ...]:
    """Return the conditions of WHERE that compare the column with constants alone.

    They only choose bounds, so a column of another table with the same name does no harm.
    """
    where = select.args.get("where")
    if where is None:
        return ()
    alias = node.args.get("alias")
    called = alias.this if isinstance(alias, exp.TableAlias) else node.this
    found = []
    for condition in _conjuncts(where.this):
        columns = list(condition.find_all(exp.Column))
        is_ours = all(
            isinstance(column.this, exp.Identifier)
            and identifier(column.this) == name
            and (not column.table or identifier(column.args["table"]) == identifier(called))
            for column in columns
        )
        if columns and is_ours and _is_simple(condition):
            found.append(copied(condition))  # without the tree around it
    return tuple(found)


def _conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    elif isinstance(node, exp.Paren):
        yield from _conjuncts(node.this)
    else:
        yield node


def _is_simple(condition: exp.Expr) -> bool:
    if isinstance(condition, COMPARISONS):
        sides = [condition.this, condition.expression]
        return any(isinstance(side, exp.Column) for side in sides) and any(map(_is_fixed, sides))
    if isinstance(condition, exp.Between):
        parts = [condition.args["low"], condition.args["high"]]
        return isinstance(condition.this, exp.Column) and all(map(_is_fixed, parts))
    return (
        isinstance(condition, exp.In)
        and isinstance(condition.this, exp.Column)
        and bool(condition.expressions)
        and all(map(_is_fixed, condition.expressions))
    )


def _is_fixed(node: exp.Expr) -> bool:
    if isinstance(node, exp.Cast | exp.Paren | exp.Neg):
        return _is_fixed(node.this)
    return isinstance(node, exp.Literal | exp.Parameter)

"""Calls of window functions: what they see, and whether the order of equal rows shows in them.

Rows that tie in a window's ORDER BY come in any order, and row_number(), lag() or a frame of ROWS
show which one: PostgreSQL's own answer then depends on where the rows lie.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.aggregate_call import BITS, COLLECTORS, EXTREMES, LOGIC, ORDER_FREE, is_aggregate
from query.aggregates import CannotSplit
from query.branches import unwrapped
from query.catalog import Catalog
from query.dialect import render
from query.expressions import formula
from query.nested import has_one_representation
from query.numbers import is_exact_number, is_integer
from query.statement import TableName, identifier
from query.trees import copied

RANKS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})
POSITIONS = frozenset({
    "row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value",
})  # fmt: skip
KNOWN = RANKS | POSITIONS | ORDER_FREE | COLLECTORS
UNBOUNDED = "UNBOUNDED"


@dataclass(frozen=True)
class WindowCall:
    """One call: `name` is the function's, `call` its call without FILTER, `spec` the frame."""

    name: str
    call: exp.Expr
    partition: tuple[exp.Expr, ...]
    order: tuple[exp.Expr, ...]
    spec: exp.WindowSpec | None

    @property
    def shows_ties(self) -> bool:
        """Tell whether the order of rows that are equal in all sort keys may show in the result.

        A frame of RANGE or GROUPS takes all rows that tie, or none of them.
        """
        if self.name in RANKS:
            return False
        if self.name not in ORDER_FREE:
            return True
        if self.spec is None or str(self.spec.args["kind"]).upper() != "ROWS":
            return False
        return not (self.spec.args["start"] == UNBOUNDED and self.spec.args.get("end") == UNBOUNDED)

    @property
    def seen_by(self) -> list[exp.Expr]:
        """The expressions by which it partitions and sorts."""
        keys = [key.this if isinstance(key, exp.Ordered) else key for key in self.order]
        return [*self.partition, *keys]

    def is_total(self, unique: "Unique | None") -> bool:
        """Tell whether no two rows of a partition tie, as all rows differ in `unique`."""
        if unique is None:
            return False
        named = {
            identifier(column.this)
            for column in plain_columns(self.seen_by)
            if not column.table or identifier(column.args["table"]) == unique.source
        }
        return unique.columns <= named

    def tied(self) -> exp.Expr:
        """Return the condition that a row ties with another one of its partition."""
        count, rank = (
            exp.Window(
                this=function,
                partition_by=[copied(part) for part in self.partition],
                order=exp.Order(expressions=[copied(key) for key in self.order])
                if self.order
                else None,
                over="OVER",
            )
            for function in (
                exp.Count(this=exp.Star(), big_int=True),
                exp.Anonymous(this="rank"),
            )
        )
        return formula("upto <> first", upto=count, first=rank)


def own_windows(select: exp.Expr) -> Iterator[exp.Window]:
    """Yield the calls of window functions that belong to `select` itself."""
    for node in select.find_all(exp.Window):
        if node.parent_select is select and not is_definition(node):
            yield node


def is_window_function(node: exp.Expr) -> bool:
    """Tell whether `node` is a call that an OVER follows, whatever its name."""
    above = node.parent
    inner = node
    if isinstance(above, exp.Filter) and node.arg_key == "this":
        inner, above = above, above.parent
    return isinstance(above, exp.Window) and inner.arg_key == "this"


def is_definition(node: exp.Window) -> bool:
    """Tell whether `node` stands in a WINDOW clause."""
    return node.arg_key == "windows"


def read_window(node: exp.Window, select: exp.Expr) -> WindowCall:
    """Read a call, with what the WINDOW clause of `select` says.  Raises CannotSplit."""
    call = node.this.this if isinstance(node.this, exp.Filter) else node.this
    name = str(call.this).lower() if isinstance(call, exp.Anonymous) else call.key
    if name not in KNOWN or (not isinstance(call, exp.Anonymous) and not is_aggregate(call)):
        raise CannotSplit(f"the window function {name} is not known to be safe in fragments")
    if node.args.get("first") is not None or node.args.get("over") != "OVER":
        raise CannotSplit(f"{render(node)} has a form that is not split")
    partition, order, spec = _definition(node, select, depth=0)
    return WindowCall(name, call, partition, order, spec)


def inline_windows(select: exp.Expr) -> None:
    """Write the definitions of the WINDOW clause into the calls that name them."""
    if not select.args.get("windows"):
        return
    for node in list(own_windows(select)):
        partition, order, spec = _definition(node, select, depth=0)
        node.set("partition_by", [copied(part) for part in partition])
        keys = exp.Order(expressions=[copied(key) for key in order]) if order else None
        node.set("order", keys)
        node.set("spec", copied(spec) if spec is not None else None)
        node.set("alias", None)
    select.set("windows", None)


Definition = tuple[tuple[exp.Expr, ...], tuple[exp.Expr, ...], exp.WindowSpec | None]
MOST_NAMED = 20  # a name stands for an earlier one, so this only guards against a misreading


def _definition(node: exp.Window, select: exp.Expr, *, depth: int) -> Definition:
    order = node.args.get("order")
    partition = tuple(node.args.get("partition_by") or ())
    keys = tuple(order.expressions) if order is not None else ()
    spec = node.args.get("spec")
    alias = node.args.get("alias")
    if alias is None:
        return partition, keys, spec
    for named in select.args.get("windows") or []:
        if identifier(named.this) == identifier(alias) and depth < MOST_NAMED:
            outer = _definition(named, select, depth=depth + 1)
            return partition or outer[0], keys or outer[1], spec or outer[2]
    raise CannotSplit(f"the window {identifier(alias)} is not known")


@dataclass(frozen=True)
class Unique:
    """Columns of the one table in FROM, called `source` there, in which all its rows differ."""

    source: str
    columns: frozenset[str]


def unique_columns(select: exp.Expr, catalog: Catalog) -> Unique | None:
    """Return columns in which all rows that `select` reads differ, if it reads just one table."""
    from_ = select.args.get("from_")
    if from_ is None or select.args.get("joins") or select.args.get("laterals"):
        return None
    source = from_.this
    if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
        return None
    alias = source.args.get("alias")
    if source.args.get("joins") or (alias is not None and alias.args.get("columns")):
        return None
    schema = identifier(source.args["db"]) if source.args.get("db") else None
    name = TableName(schema, identifier(source.this))
    ctes = {identifier(cte.args["alias"].this) for cte in select.root().find_all(exp.CTE)}
    table = catalog.tables.get(name)
    if table is None or not table.primary_key or (schema is None and name.name in ctes):
        return None
    called = identifier(alias.this) if alias is not None and alias.this is not None else name.name
    return Unique(called, table.primary_key)


def window_reasons(node: exp.Window, tree: exp.Expr, catalog: Catalog) -> Iterator[str]:
    """Yield why a window function, of `tree` or inside of it, might mean something else."""
    select = node.parent_select
    if select is None or is_definition(node):
        return
    try:
        window = read_window(node, select)
    except CannotSplit as error:
        yield error.reason
        return
    yield from _argument_reasons(window, catalog)
    is_inside = select is not unwrapped(tree)
    if is_inside and window.shows_ties and not window.is_total(unique_columns(select, catalog)):
        yield f"{window.name} inside the query may depend on the order of rows that tie"


def _argument_reasons(window: WindowCall, catalog: Catalog) -> Iterator[str]:
    call = window.call
    arguments = call.expressions if isinstance(call, exp.Anonymous) else [call.this]
    if not arguments:
        return
    argument = arguments[0]
    if window.name in EXTREMES:
        if not has_one_representation(argument, catalog) and not is_integer(argument, catalog):
            yield f"{render(window.call)} in a window may pick among equal values"
    elif window.name in ORDER_FREE - LOGIC - BITS - {"count"} and not is_exact_number(
        argument, catalog
    ):
        yield "a sum in a window may be one of floats, which depends on the order of rows"


def plain_columns(nodes: Sequence[exp.Expr]) -> list[exp.Column]:
    """Return those of `nodes` that are columns by name."""
    return [
        node
        for node in nodes
        if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier)
    ]

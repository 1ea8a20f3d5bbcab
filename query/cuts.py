"""Where a query can be cut: which table's rows are split, and in which branch of a UNION ALL.

    SELECT k, sum(v) FROM (SELECT k, v FROM a UNION ALL SELECT k, v FROM b) u GROUP BY k

has two cuts: rows of `a` without the branch that reads `b`, and rows of `b` without the one that
reads `a`.  The partials of all fragments of all cuts add up to those of the whole query.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from query.branches import branches_of, unwrapped
from query.catalog import Catalog, Table
from query.safety import is_plain_call
from query.scope import Body, Scope, Source, Withs, scope_of
from query.statement import TableName, identifier
from query.trees import copied

PLACE = "place"  # the key in a node's meta data under which its number survives copying

# a SELECT with nothing else yields, for each part of its FROM, that part of its rows
ROW_BY_ROW = frozenset({"expressions", "from_", "joins", "where", "order", "with_"})


@dataclass(frozen=True)
class Cut:
    """One cut: branches left out, and the driving table; without one, it runs in one piece.

    `place` is the number of the table's node, `given` its name in the query, `dropped` are the
    numbers of the branches.
    """

    place: int | None
    given: TableName | None
    table: Table | None
    dropped: frozenset[int] = field(default_factory=frozenset)

    @property
    def blocks(self) -> int:
        """Size of the driving table; 0 without one."""
        return self.table.blocks if self.table is not None else 0

    def without(self, branches: Sequence[int]) -> "Cut":
        """Return the cut with more branches left out."""
        return Cut(self.place, self.given, self.table, self.dropped | frozenset(branches))


class Cutter:
    """Finds the cuts of `tree`, and numbers the nodes that they name: `tree` must be its own."""

    def __init__(self, tree: exp.Select, catalog: Catalog) -> None:
        self._catalog = catalog
        self._nodes: list[exp.Expr] = []
        names = [
            identifier(table.this)
            for table in tree.find_all(exp.Table)
            if isinstance(table.this, exp.Identifier) and not table.args.get("db")
        ]
        defined = [identifier(cte.args["alias"].this) for cte in tree.find_all(exp.CTE)]
        reads, definitions = Counter(names), Counter(defined)
        self._read_once = frozenset(
            name for name in defined if reads[name] == 1 and definitions[name] == 1
        )
        self.scope: Scope = self.scope_of(tree, {})
        self.cuts: list[Cut] = self._of_scope(self.scope)

    def scope_of(self, tree: exp.Select, withs: Withs) -> Scope:
        """Read the FROM clause of a SELECT inside, which may read the CTEs `withs`."""
        return scope_of(tree, self._catalog, withs, self._read_once)

    def _of_scope(self, scope: Scope) -> list[Cut]:
        """Return the cuts of the largest source that can be cut, none if there is none."""
        best: list[Cut] = []
        for source in scope.sources:
            cuts = self._of_source(source)
            if cuts and (not best or _size(cuts) > _size(best)):
                best = cuts
        return best

    def _of_source(self, source: Source) -> list[Cut]:
        if not source.is_kept or source.alias is None:
            return []
        if source.body is not None:
            return self._of_body(source.body)
        if source.table is None or not source.table.is_splittable:
            return []
        return [Cut(self.number(source.node), source.given, source.table)]

    def _of_body(self, body: Body) -> list[Cut]:
        query = unwrapped(body.query)
        if isinstance(query, exp.Select):
            if not is_row_by_row(query, self._catalog):
                return []
            return self._of_scope(self.scope_of(query, body.withs))
        branches = branches_of(query)
        return [] if branches is None else self._of_branches(branches, body.withs)

    def _of_branches(self, branches: Sequence[exp.Expr], withs: Withs) -> list[Cut]:
        if not all(isinstance(branch, exp.Select) for branch in branches):
            return []
        numbers = [self.number(branch) for branch in branches]
        found = []
        for branch, number in zip(branches, numbers, strict=True):
            others = [other for other in numbers if other != number]
            cuts = self._of_body(Body(branch, withs)) or [Cut(None, None, None)]
            found += [cut.without(others) for cut in cuts]
        return found

    def node_at(self, place: int | None) -> exp.Expr | None:
        """Return the node with this number."""
        return self._nodes[place] if place is not None else None

    def number(self, node: exp.Expr) -> int:
        """Return the node's number, from now on if it has none."""
        if PLACE not in node.meta:
            node.meta[PLACE] = len(self._nodes)
            self._nodes.append(node)
        number: int = node.meta[PLACE]
        return number


def is_row_by_row(select: exp.Select, catalog: Catalog) -> bool:
    """Tell whether the rows of `select` over parts of its FROM add up to those over all of it."""
    if any(value for part, value in select.args.items() if part not in ROW_BY_ROW):
        return False
    for node in select.find_all(exp.Func, exp.Window, exp.Filter):
        if node.parent_select is select and not is_plain_call(node, catalog):
            return False
    return True


def cut_out(fragment: exp.Select, cut: Cut, condition: exp.Expr | None, catalog: Catalog) -> None:
    """Leave out what `cut` leaves out of `fragment`, and hold its table to `condition`.

    The branches stay where they are, without rows: so PostgreSQL finds the same types for the
    columns of the UNION as in the whole query.
    """
    for node in list(fragment.find_all(exp.Select, exp.Table)):
        number = node.meta.get(PLACE)
        if number is None:
            continue
        if number in cut.dropped:
            _empty(node, catalog)
        elif number == cut.place and condition is not None:
            _restrict(node.parent_select, condition)


def _restrict(select: exp.Expr | None, condition: exp.Expr) -> None:
    assert isinstance(select, exp.Select)  # noqa: S101 - a driving table stands in a FROM
    where = select.args.get("where")
    if where is not None:
        condition = exp.And(this=exp.Paren(this=where.this), expression=condition)
    select.set("where", exp.Where(this=condition))


def _empty(branch: exp.Expr, catalog: Catalog) -> None:
    assert isinstance(branch, exp.Select)  # noqa: S101 - only such branches are numbered
    is_simple = is_row_by_row(branch, catalog)
    branch.set("where", exp.Where(this=exp.Boolean(this=False)))
    if is_simple:
        return
    # an aggregate yields a row even over none
    branch.set("limit", exp.Limit(expression=exp.Literal.number(0)))
    if not isinstance(branch.parent, exp.Subquery):
        branch.replace(exp.Subquery(this=copied(branch)))


def _size(cuts: Sequence[Cut]) -> int:
    return sum(cut.blocks for cut in cuts)

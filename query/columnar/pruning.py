"""Which segments cannot hold a row that a query asks for, by their least and greatest values.

    SELECT sum(v) FROM t WHERE day >= date '2024-05-01' AND shop = 3

needs no segment whose days all lie before that.  Only conditions count that stand by themselves
in the WHERE of the query that reads the table, and compare a column with a constant: where one is
false or null for all rows of a segment, these add nothing to any partial.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from query.columnar.context import Parameter
from query.columnar.facts import TableFact
from query.columnar.kinds import INTEGERS, Kind
from query.columnar.values import read
from query.cuts import PLACE
from query.statement import identifier

Extremes = Mapping[str, tuple[str | None, str | None]]

# how a column's least and greatest value have to compare with the constant
COMPARISONS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
SWAPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
BEGIN = datetime(1, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TIMES = ("date", "timestamp", "timestamptz")
FLOAT_NAMES = ("real", "double precision")


@dataclass(frozen=True)
class Bound:
    """A condition `column sign value` that all rows wanted of the table meet.

    Values of time are microseconds since the year 1.
    """

    column: str
    kind: Kind
    sign: str
    value: Decimal

    def excludes(self, least: str | None, greatest: str | None) -> bool:
        """Tell whether no value from `least` to `greatest` meets it; None: not known."""
        low, high = _known(least, self.kind), _known(greatest, self.kind)
        if low is None or high is None:
            return False
        if self.sign == "=":
            return self.value < low or self.value > high
        side = low if self.sign.startswith("<") else high
        return not _OPERATORS[self.sign](side, self.value)


_OPERATORS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def bounds_of(
    fragment: exp.Select, driving: int | None, fact: TableFact, parameters: Sequence[Parameter]
) -> tuple[Bound, ...]:
    """Return the conditions on the table at the node `driving`, as far as they are understood."""
    nodes = [node for node in fragment.find_all(exp.Table) if node.meta.get(PLACE) == driving]
    if driving is None or len(nodes) != 1:
        return ()
    select = nodes[0].parent_select
    where = select.args.get("where") if isinstance(select, exp.Select) else None
    if where is None or not isinstance(select, exp.Select):
        return ()
    alias = nodes[0].args.get("alias")
    name = identifier(alias.this if isinstance(alias, exp.TableAlias) else nodes[0].this)
    is_alone = not select.args.get("joins") and not select.args.get("laterals")
    own = _Own(name, fact, parameters, is_alone=is_alone)
    return tuple(bound for one in _conjuncts(where.this) for bound in own.bounds(one))


def may_hold(bounds: Sequence[Bound], extremes: Extremes) -> bool:
    """Tell whether a segment with these least and greatest values may hold a row that is wanted."""
    return not any(
        bound.excludes(*extremes.get(bound.column, (None, None))) for bound in bounds
    )  # fmt: skip


class _Own:
    """Reads conditions on one table, called `name` where they stand."""

    def __init__(
        self, name: str, fact: TableFact, parameters: Sequence[Parameter], *, is_alone: bool
    ) -> None:
        self._name = name
        self._fact = fact
        self._parameters = parameters
        self._is_alone = is_alone

    def bounds(self, node: exp.Expr) -> Iterator[Bound]:
        if isinstance(node, exp.Between):
            yield from self._bound(node.this, ">=", node.args["low"])
            yield from self._bound(node.this, "<=", node.args["high"])
            return
        sign = COMPARISONS.get(type(node))
        if sign is None:
            return
        yield from self._bound(node.args["this"], sign, node.args["expression"])
        yield from self._bound(node.args["expression"], SWAPPED[sign], node.args["this"])

    def _bound(self, column: exp.Expr, sign: str, constant: exp.Expr) -> Iterator[Bound]:
        kind = self._kind(column)
        if kind is None:
            return
        value = self._constant(constant, kind)
        if value is not None:
            yield Bound(identifier(column.this), kind, sign, value)

    def _kind(self, node: exp.Expr) -> Kind | None:
        """Return the kind of a column of the table, where its values are ordered here."""
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            return None
        given = node.args.get("table")
        if identifier(given) != self._name if given is not None else not self._is_alone:
            return None
        if node.args.get("db") is not None:
            return None
        fact = self._fact.columns.get(identifier(node.this))
        kind = None if fact is None else fact.kind
        is_ordered = kind is not None and kind.name in (*INTEGERS, "numeric", *TIMES)
        return kind if is_ordered else None

    def _constant(self, node: exp.Expr, kind: Kind) -> Decimal | None:
        if isinstance(node, exp.Parameter) and isinstance(node.this, exp.Literal):
            parameter = self._parameters[int(node.this.this) - 1]
            if parameter.value is None or parameter.type_name in FLOAT_NAMES:
                return None  # integers are rounded to be compared with floats
            return _typed(parameter.value, kind)
        if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
            to = node.to.this
            if kind.name == "date" and to == exp.DataType.Type.DATE:
                return _typed(str(node.this.this), kind)
            if kind.name == "timestamp" and to == exp.DataType.Type.TIMESTAMP:
                return _typed(str(node.this.this), kind)
            return None
        if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
            text = f"-{node.this.this}"
            return None if node.this.is_string or kind.name in TIMES else _number(text)
        if not isinstance(node, exp.Literal):
            return None
        if node.is_string:
            return _typed(str(node.this), kind)
        return None if kind.name in TIMES else _number(str(node.this))


def _conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    else:
        yield node


def _typed(text: str, kind: Kind) -> Decimal | None:
    """Read a string as the type of the column that it is compared with."""
    value = read(text, kind)
    return None if value is None else _comparable(value.constant)


def _known(text: str | None, kind: Kind) -> Decimal | None:
    """Read a least or greatest value, as the list of segments has it."""
    if text is None:
        return None
    if kind.name not in TIMES:
        return _number(text)
    try:
        return _comparable(datetime.fromisoformat(text))
    except ValueError:
        return None


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _comparable(value: object) -> Decimal | None:
    if isinstance(value, datetime):
        # all of them are in UTC
        return Decimal((value.replace(tzinfo=UTC) - BEGIN) // MICROSECOND)
    if isinstance(value, date):
        return _comparable(datetime.combine(value, time()))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value)

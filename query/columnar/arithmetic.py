"""Arithmetic of integers and numerics."""

from sqlglot import exp

from query.columnar.coercion import cast, one_kind
from query.columnar.context import Context, raises, refuse
from query.columnar.kinds import (
    INTEGER_BOUNDS,
    INTEGERS,
    LARGEST_SCALE,
    MOST_DIGITS,
    TEMPORAL,
    Kind,
    as_numeric,
    numeric,
)
from query.columnar.temporal import days_between, shifted
from query.columnar.values import UNKNOWN, Value, constant, integer, read

SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}
BITS: dict[type[exp.Expr], str] = {
    exp.BitwiseAnd: "{} & {}", exp.BitwiseOr: "{} | {}", exp.BitwiseXor: "xor({}, {})",
}  # fmt: skip


def add_or_multiply(node: exp.Expr, context: Context) -> Value:
    """Render +, - and *."""
    left, right = _operand(node.this, context), _operand(node.expression, context)
    if left.kind.name in TEMPORAL or right.kind.name in TEMPORAL:
        return _with_dates(node, left, right, context)
    sign = SIGNS[type(node)]
    if sign == "*" and "numeric" in (left.kind.name, right.kind.name):
        context.use("numeric product")
        return _product(node, _numeric(node, left), _numeric(node, right))
    left, right = _numbers(node, left, right)
    if left.kind.name in INTEGERS:
        context.use("integer sum")
        folded = _folded(node, left, right)
        if folded is not None:
            return folded
        return _integer(f"{left.sql} {sign} {right.sql}", left.kind, left, right)
    context.use("numeric sum")
    return _total(sign, left, right)


def _operand(node: exp.Expr, context: Context) -> Value:
    if isinstance(node, exp.Interval):
        refuse(node, "an interval stands only on the right of a date or time")
    return context.value(node)


def _with_dates(node: exp.Expr, left: Value, right: Value, context: Context) -> Value:
    if left.kind.name == "date" and right.kind.name == "date" and isinstance(node, exp.Sub):
        return days_between(left, right, context)
    if isinstance(node, exp.Add) and right.kind.name == "date":
        left, right = right, left
    if left.kind.name != "date" or isinstance(node, exp.Mul):
        refuse(node, "such arithmetic of times is not on the list")
    return shifted(node, left, right, context)


def _numbers(node: exp.Expr, left: Value, right: Value) -> tuple[Value, Value]:
    (left, right), kind = one_kind(node, [left, right])
    if kind.name != "numeric" and kind.name not in INTEGERS:
        refuse(node, f"arithmetic of {kind.name} is not on the list")
    return left, right


def _numeric(node: exp.Expr, value: Value) -> Value:
    """Return a number as a numeric of its own scale."""
    ((found,), kind) = one_kind(node, [value])
    if kind.name not in INTEGERS and kind.name != "numeric":
        refuse(node, f"arithmetic of {kind.name} is not on the list")
    return cast(found, as_numeric(kind))


def _folded(node: exp.Expr, left: Value, right: Value) -> Value | None:
    """Return the result for two constants, unless it leaves the type."""
    one, other = left.constant, right.constant
    if not isinstance(one, int) or not isinstance(other, int):
        return None
    results = {"+": one + other, "-": one - other, "*": one * other}
    result = results[SIGNS[type(node)]]
    bound = INTEGER_BOUNDS[left.kind.name]
    return constant(result, left.kind) if -bound <= result < bound else None


def _integer(sql: str, kind: Kind, *parts: Value, may_raise: bool = True) -> Value:
    # the cast raises what DuckDB does not, where it makes the result of a larger type
    return Value(f"CAST({sql} AS {kind.duckdb})", kind, may_raise or raises(*parts))


def _product(node: exp.Expr, left: Value, right: Value) -> Value:
    scale = left.kind.scale + right.kind.scale
    if scale > LARGEST_SCALE:
        refuse(node, "the product has too many digits")
    scales = {one + other for one in left.kind.scales for other in right.kind.scales}
    kind = numeric(left.kind.digits + right.kind.digits, scale, *scales)
    shown = None if len(scales) == 1 else f"({left.scale_sql} + {right.scale_sql})"
    return Value(f"({left.sql} * {right.sql})", kind, raises(left, right), shown=shown)


def _total(sign: str, left: Value, right: Value) -> Value:
    scales = {max(one, other) for one in left.kind.scales for other in right.kind.scales}
    kind = numeric(left.kind.digits + 1, left.kind.scale, *scales)
    shown = None if len(scales) == 1 else f"greatest({left.scale_sql}, {right.scale_sql})"
    return Value(f"({left.sql} {sign} {right.sql})", kind, raises(left, right), shown=shown)


def divide(node: exp.Expr, context: Context) -> Value:
    """Render / of integers; that of numerics has a scale that depends on the values."""
    left, right = _numbers(node, context.value(node.this), context.value(node.expression))
    if left.kind.name not in INTEGERS:
        refuse(node, "the scale of a quotient of numerics depends on the values")
    context.use("integer division")
    may_raise = right.constant in (None, 0, -1)
    return _integer(f"{left.sql} // {right.sql}", left.kind, left, right, may_raise=may_raise)


def remainder(node: exp.Expr, context: Context) -> Value:
    """Render % of integers."""
    return modulo(node, context.value(node.this), context.value(node.expression), context)


def modulo(node: exp.Expr, dividend: Value, divisor: Value, context: Context) -> Value:
    """Render the remainder of a division of integers."""
    left, right = _numbers(node, dividend, divisor)
    if left.kind.name not in INTEGERS:
        refuse(node, "remainders of numerics are not on the list")
    context.use("integer remainder")
    may_raise = right.constant in (None, 0, -1)
    return _integer(f"{left.sql} % {right.sql}", left.kind, left, right, may_raise=may_raise)


def negate(node: exp.Expr, context: Context) -> Value:
    """Render the minus before a number; that before a constant belongs to the constant."""
    value = context.typed(node.this)
    digits = node.this.unnest()
    if isinstance(digits, exp.Literal) and str(digits.this).isdigit():
        # PostgreSQL's grammar puts the minus to the number, and then chooses the type
        found = integer(-int(digits.this))
        if found is not None:
            return found
    if value.kind.name in INTEGERS:
        context.use("integer sign")
        return _integer(f"-{value.sql}", value.kind, value)
    if value.kind.name != "numeric":
        refuse(node, f"arithmetic of {value.kind.name} is not on the list")
    context.use("numeric sign")
    return Value(f"(-{value.sql})", value.kind, value.raises, shown=value.shown)


def absolute(node: exp.Expr, value: Value, context: Context) -> Value:
    """Render abs."""
    if value.kind.name in INTEGERS:
        context.use("integer sign")
        return _integer(f"abs({value.sql})", value.kind, value)
    if value.kind.name != "numeric":
        refuse(node, f"abs of {value.kind.name} is not on the list")
    context.use("numeric sign")
    return Value(f"abs({value.sql})", value.kind, value.raises, shown=value.shown)


def scale_of(node: exp.Expr, value: Value, context: Context) -> Value:
    """Render scale: what is known of the value, or null."""
    if value.kind.name != "numeric":
        refuse(node, f"scale of {value.kind.name} is not on the list")
    context.use("scale")
    sql = f"(CASE WHEN {value.sql} IS NOT NULL THEN CAST({value.scale_sql} AS INTEGER) END)"
    return Value(sql, Kind("int4"), value.raises)


def bits(node: exp.Expr, context: Context) -> Value:
    """Render &, | and #."""
    left, right = _numbers(node, context.value(node.this), context.value(node.expression))
    if left.kind.name not in INTEGERS:
        refuse(node, "bits are those of integers")
    context.use("integer bits")
    text = BITS[type(node)].format(left.sql, right.sql)
    return _integer(text, left.kind, left, right, may_raise=False)


def bits_not(node: exp.Expr, context: Context) -> Value:
    """Render ~."""
    value = context.typed(node.this)
    if value.kind.name not in INTEGERS:
        refuse(node, "bits are those of integers")
    context.use("integer bits")
    return _integer(f"~{value.sql}", value.kind, value, may_raise=False)


def rounded(node: exp.Expr, value: Value, scale: int, context: Context) -> Value:
    """Render round(numeric, scale); PostgreSQL shows just as many digits, zeros if need be."""
    if value.kind.name != "numeric" or not 0 <= scale <= LARGEST_SCALE:
        refuse(node, "round is on the list for numerics and digits behind the point")
    context.use("round")
    digits = value.kind.digits - value.kind.scale + scale + 1
    kind = numeric(digits, scale)
    return Value(f"CAST({value.sql} AS {kind.duckdb})", kind, value.raises)


def to_integer(node: exp.Expr, value: Value, kind: Kind, context: Context) -> Value:
    """Render a cast to an integer type."""
    context.use("cast to integer")
    if value.kind == UNKNOWN:
        found = read(str(value.constant), kind)
        return found if found is not None else refuse(node, "not an integer of a plain form")
    if value.kind.name not in INTEGERS and value.kind.name != "numeric":
        refuse(node, f"a cast from {value.kind.name} is not on the list")
    order = [*INTEGERS, "numeric"]
    narrows = order.index(value.kind.name) > order.index(kind.name)
    return _integer(value.sql, kind, value, may_raise=narrows)


def to_numeric(node: exp.Expr, value: Value, kind: Kind | None, context: Context) -> Value:
    """Render a cast to numeric, or to a `kind` of it."""
    context.use("cast to numeric")
    if value.kind == UNKNOWN:
        found = read(str(value.constant), numeric(MOST_DIGITS, 0))
        value = found if found is not None else refuse(node, "not a number of a plain form")
    if value.kind.name not in INTEGERS and value.kind.name != "numeric":
        refuse(node, f"a cast from {value.kind.name} is not on the list")
    if kind is None:
        return cast(value, as_numeric(value.kind))
    value = cast(value, as_numeric(value.kind))
    whole = value.kind.digits - value.kind.scale
    narrows = whole + (value.kind.scale > kind.scale) > kind.digits - kind.scale
    return Value(f"CAST({value.sql} AS {kind.duckdb})", kind, narrows or value.raises)


def number(node: exp.Literal) -> Value:
    """Read a number as PostgreSQL's lexer does."""
    text = str(node.this)
    found = read(text, numeric(MOST_DIGITS, 0))
    if found is None or not found.kind.digits:
        refuse(node, "a number of this form or length is not on the list")
    if "." not in text:
        found = integer(int(text))
    return found if found is not None else refuse(node, "it has too many digits")

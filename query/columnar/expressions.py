"""Which rule renders which expression."""

from collections.abc import Callable, Mapping

from sqlglot import exp

from query.aggregate_call import is_aggregate
from query.columnar import arithmetic, choices, comparing, subqueries, temporal, texts
from query.columnar.aggregates import aggregate
from query.columnar.coercion import one_kind
from query.columnar.context import Context, Rule, refuse
from query.columnar.kinds import INTEGERS, TEMPORAL, Kind, kind_of, numeric
from query.columnar.values import UNKNOWN, Value, constant, null_of, read
from query.types import NUMERIC

Render = Callable[[exp.Expr, Context], Value]
TARGETS = {
    exp.DataType.Type.SMALLINT: "int2", exp.DataType.Type.INT: "int4",
    exp.DataType.Type.BIGINT: "int8", exp.DataType.Type.DECIMAL: "numeric",
    exp.DataType.Type.TEXT: "text", exp.DataType.Type.DATE: "date",
    exp.DataType.Type.TIMESTAMP: "timestamp", exp.DataType.Type.TIMESTAMPTZ: "timestamptz",
    exp.DataType.Type.BOOLEAN: "bool", exp.DataType.Type.UUID: "uuid",
    exp.DataType.Type.DOUBLE: "float8", exp.DataType.Type.FLOAT: "float4",
}  # fmt: skip
PARAMETER_TYPES = {
    "smallint": "int2", "integer": "int4", "bigint": "int8", "numeric": "numeric", "text": "text",
    "date": "date", "timestamp without time zone": "timestamp", "boolean": "bool", "uuid": "uuid",
    "timestamp with time zone": "timestamptz", "character varying": "text",
    "double precision": "float8", "real": "float4",
}  # fmt: skip


def _column(node: exp.Expr, context: Context) -> Value:
    assert isinstance(node, exp.Column)  # noqa: S101 - its type chose this rule
    context.use("column")
    return context.scope.find(node)


def _literal(node: exp.Expr, context: Context) -> Value:
    assert isinstance(node, exp.Literal)  # noqa: S101 - as above
    context.use("constant")
    return constant(str(node.this), UNKNOWN) if node.is_string else arithmetic.number(node)


def _boolean(node: exp.Expr, context: Context) -> Value:
    context.use("constant")
    return constant(bool(node.this), Kind("bool"))


def _null(_: exp.Expr, context: Context) -> Value:
    context.use("constant")
    return Value("NULL", UNKNOWN)


def _parameter(node: exp.Expr, context: Context) -> Value:
    context.use("constant")
    parameter = context.parameters[int(node.this.this) - 1]
    name = PARAMETER_TYPES.get(parameter.type_name)
    if name is None:
        refuse(node, f"parameters of type {parameter.type_name} are not on the list")
    kind = Kind(name) if name != "numeric" else numeric(1, 0)
    if parameter.value is None:
        return null_of(kind)
    found = read(parameter.value, kind)
    return found if found is not None else refuse(node, "its value has no plain form")


def _paren(node: exp.Expr, context: Context) -> Value:
    return context.value(node.this)


def _cast(node: exp.Expr, context: Context) -> Value:
    to = node.args["to"]
    name = TARGETS.get(to.this) if isinstance(to, exp.DataType) else None
    sizes = [str(part.this) for part in to.expressions] if name is not None else []
    if name is None or (sizes and name != "numeric"):
        refuse(node, "a cast to this type is not on the list")
    value = context.value(node.this)
    if value.is_null:
        return null_of(_size(node, sizes) or numeric(1, 0) if name == "numeric" else Kind(name))
    if name == "numeric":
        return arithmetic.to_numeric(node, value, _size(node, sizes), context)
    if name in INTEGERS:
        return arithmetic.to_integer(node, value, Kind(name), context)
    if name in TEMPORAL:
        return temporal.to_time(node, value, Kind(name), context)
    if name == "text":
        return texts.to_text(node, value, context)
    if value.kind != UNKNOWN and value.kind.name != name:
        refuse(node, f"a cast from {value.kind.name} is not on the list")
    (found,), _ = one_kind(node, [value]) if value.kind != UNKNOWN else ([read(
        str(value.constant), Kind(name))], None)  # fmt: skip
    return found if found is not None else refuse(node, "a constant of no plain form")


def _size(node: exp.Expr, sizes: list[str]) -> Kind | None:
    if not sizes:
        return None
    if not all(size.isdigit() for size in sizes):
        refuse(node, "a negative scale is not on the list")
    digits, scale = (int(size) for size in (*sizes, "0")[:2])
    kind = kind_of(NUMERIC, (digits << 16 | scale) + 4)
    return kind if kind is not None else refuse(node, "it has too many digits")


def _add(node: exp.Expr, context: Context) -> Value:
    if isinstance(node.expression, exp.Interval):
        return temporal.with_interval(node, context)
    return arithmetic.add_or_multiply(node, context)


def _substring(node: exp.Expr, context: Context) -> Value:
    start, length = node.args.get("start"), node.args.get("length")
    first = context.value(start) if start is not None else None
    count = context.value(length) if length is not None else None
    return texts.substring(node, context.value(node.this), first, count, context)


def _position(node: exp.Expr, context: Context) -> Value:
    wanted = context.value(node.args["substr"])
    return texts.position(node, context.value(node.this), wanted, context)


def _call(node: exp.Expr, context: Context) -> Value:
    if is_aggregate(node):
        return aggregate(node, context)
    name = str(node.this).lower()
    places = FUNCTIONS.get(name)
    if places is None or len(node.expressions) not in places[0]:
        refuse(node, "this function is not on the list")
    return places[1](node, name, [context.value(part) for part in node.expressions], context)


Call = Callable[[exp.Expr, str, list[Value], Context], Value]


def _round(node: exp.Expr, _: str, given: list[Value], context: Context) -> Value:
    scale = given[1].constant if len(given) > 1 else 0
    if not isinstance(scale, int):
        refuse(node, "only a constant number of digits is on the list")
    return arithmetic.rounded(node, given[0], scale, context)


# by name: how many arguments, and what renders them
FUNCTIONS: Mapping[str, tuple[tuple[int, ...], Call]] = {
    "abs": ((1,), lambda node, _, given, context: arithmetic.absolute(node, given[0], context)),
    "mod": ((2,), lambda node, _, given, context: arithmetic.modulo(
        node, given[0], given[1], context)),
    "round": ((1, 2), _round),
    "scale": ((1,), lambda node, _, given, context: arithmetic.scale_of(node, given[0], context)),
    "date_trunc": ((2,), lambda node, _, given, context: temporal.truncated(
        node, given[0], given[1], context)),
    "length": ((1,), lambda node, _, given, context: texts.length(node, given[0], context)),
    "char_length": ((1,), lambda node, _, given, context: texts.length(node, given[0], context)),
    "character_length": ((1,), lambda node, _, given, context: texts.length(node, given[0],
                                                                            context)),
    "octet_length": ((1,), lambda node, _, given, context: texts.octet_length(node, given[0],
                                                                              context)),
    "substr": ((2, 3), lambda node, _, given, context: texts.substring(
        node, given[0], given[1], given[2] if len(given) > 2 else None, context)),
    "left": ((2,), lambda node, _, given, context: texts.substring(node, given[0], None, given[1],
                                                                   context)),
    "upper": ((1,), lambda node, name, given, context: texts.cased(node, name, given[0], context)),
    "lower": ((1,), lambda node, name, given, context: texts.cased(node, name, given[0], context)),
    **dict.fromkeys(texts.TRIMS, ((1, 2), texts.trimmed)),
    "replace": ((3,), lambda node, _, given, context: texts.replaced(node, given, context)),
    "strpos": ((2,), lambda node, _, given, context: texts.position(
        node, given[0], given[1], context)),
    "starts_with": ((2,), lambda node, _, given, context: texts.starts_with(
        node, given[0], given[1], context)),
}  # fmt: skip

LISTED = frozenset({"this", "expressions"})
PLAIN: Mapping[type[exp.Expr], Render] = {
    exp.Null: _null, exp.Boolean: _boolean, exp.Parameter: _parameter, exp.Paren: _paren,
    exp.Add: _add, exp.Sub: _add, exp.Mul: arithmetic.add_or_multiply,
    exp.Mod: arithmetic.remainder, exp.Neg: arithmetic.negate,
    exp.BitwiseAnd: arithmetic.bits, exp.BitwiseOr: arithmetic.bits,
    exp.BitwiseXor: arithmetic.bits, exp.BitwiseNot: arithmetic.bits_not,
    **dict.fromkeys(comparing.EQUAL, comparing.equal),
    **dict.fromkeys(comparing.ORDERED, comparing.ordered),
    exp.And: comparing.both, exp.Or: comparing.both, exp.Not: comparing.negated,
    exp.Exists: subqueries.exists, exp.Subquery: subqueries.scalar,
    exp.Nullif: choices.nullif, exp.Extract: temporal.extract, exp.Filter: aggregate,
    exp.Sum: aggregate, exp.Min: aggregate, exp.Max: aggregate, exp.Avg: aggregate,
}  # fmt: skip
RULES: Mapping[type[exp.Expr], Rule] = {
    **{node: Rule(render) for node, render in PLAIN.items()},
    exp.Column: Rule(_column, frozenset({"this", "table"})),
    exp.Literal: Rule(_literal, frozenset({"this", "is_string"})),
    exp.Cast: Rule(_cast, frozenset({"this", "to"})),
    exp.Div: Rule(arithmetic.divide, frozenset({"this", "expression", "typed"})),
    exp.Is: Rule(comparing.is_what, frozenset({"this", "expression", "negate"})),
    exp.Like: Rule(comparing.like, frozenset({"this", "expression", "negate"})),
    exp.Between: Rule(comparing.between, frozenset({"this", "low", "high"})),
    exp.In: Rule(subqueries.within, frozenset({"this", "expressions", "query"})),
    exp.Case: Rule(choices.case, frozenset({"this", "ifs", "default"})),
    exp.Coalesce: Rule(choices.coalesce, LISTED),
    exp.Greatest: Rule(choices.extreme, LISTED | {"ignore_nulls"}),
    exp.Least: Rule(choices.extreme, LISTED | {"ignore_nulls"}),
    exp.DPipe: Rule(texts.concatenated, frozenset({"this", "expression", "safe"})),
    exp.Substring: Rule(_substring, frozenset({"this", "start", "length"})),
    exp.StrPosition: Rule(_position, frozenset({"this", "substr"})),
    exp.Trim: Rule(texts.trim, frozenset({"this", "expression", "position"})),
    exp.Anonymous: Rule(_call, LISTED),
    exp.Count: Rule(aggregate, frozenset({"this", "big_int"})),
}

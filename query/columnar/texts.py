"""Functions of strings."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from query.columnar.coercion import one_kind
from query.columnar.context import Context, raises, refuse
from query.columnar.kinds import INTEGERS, Kind
from query.columnar.values import UNKNOWN, Value, failing, string

INT4 = Kind("int4")
TEXT = Kind("text")
TRIMS = {"trim": "trim", "btrim": "trim", "ltrim": "ltrim", "rtrim": "rtrim"}
FOREIGN = "a letter beyond ASCII"
LARGEST = 1 << 30


def text_of(node: exp.Expr, value: Value) -> Value:
    """Return a string as the text that functions take; char(n) loses its blanks at the end."""
    if value.kind == UNKNOWN and value.constant is not None:
        return replace(value, kind=TEXT)
    if value.kind.name == "bpchar":
        kind = replace(value.kind, name="text", length=-1)
        return replace(value, sql=f"rtrim({value.sql}, ' ')", kind=kind, constant=None)
    if value.kind.name != "text":
        refuse(node, f"this is on the list for strings, and not for {value.kind.name}")
    return value


def concatenated(node: exp.Expr, context: Context) -> Value:
    """Render || of strings."""
    left, right = context.value(node.this), context.value(node.expression)
    parts = [text_of(node, left), text_of(node, right)]
    if left.kind == right.kind == UNKNOWN or "bpchar" in (left.kind.name, right.kind.name):
        refuse(node, "only text and a string are on the list")
    context.use("concatenation")
    (left, right), kind = one_kind(node, parts)
    return Value(f"({left.sql} || {right.sql})", kind, raises(left, right))


def length(node: exp.Expr, value: Value, context: Context) -> Value:
    """Render length and char_length."""
    context.use("length")
    text = text_of(node, value)
    return Value(f"CAST(length({text.sql}) AS INTEGER)", INT4, text.raises)


def octet_length(node: exp.Expr, value: Value, context: Context) -> Value:
    """Render octet_length of text."""
    if value.kind.name != "text":
        refuse(node, "it is on the list for text alone")
    context.use("octet length")
    return Value(f"CAST(strlen({value.sql}) AS INTEGER)", INT4, value.raises)


def substring(
    node: exp.Expr, value: Value, first: Value | None, count: Value | None, context: Context
) -> Value:
    """Render substring with constant places."""
    start = 1 if first is None else _whole(node, first, least=1)
    text = text_of(node, value)
    context.use("substring")
    places = f"{start}" if count is None else f"{start}, {_whole(node, count, least=0)}"
    return Value(f"substring({text.sql}, {places})", text.kind, text.raises)


def _whole(node: exp.Expr, value: Value, *, least: int) -> int:
    number = value.constant
    if value.kind.name not in INTEGERS or not isinstance(number, int):
        refuse(node, "only constant places are on the list")
    if not least <= number < LARGEST:
        refuse(node, f"only places from {least} on are on the list")
    return number


def cased(node: exp.Expr, name: str, value: Value, context: Context) -> Value:
    """Render upper and lower; beyond ASCII it raises."""
    text = text_of(node, value)
    if not text.kind.sorts_by_bytes:
        refuse(node, "letters are a matter of the collation")
    context.use("upper lower")
    otherwise = failing(FOREIGN, text.sql, "VARCHAR")
    is_ascii = f"{text.sql} IS NULL OR strlen({text.sql}) = length({text.sql})"
    sql = f"(CASE WHEN {is_ascii} THEN {name}({text.sql}) ELSE {otherwise} END)"
    return Value(sql, text.kind, text.raises)


def trimmed(node: exp.Expr, name: str, arguments: Sequence[Value], context: Context) -> Value:
    """Render trim, btrim, ltrim and rtrim of blanks."""
    if len(arguments) > 1 and arguments[1].constant != " ":
        refuse(node, "only blanks are on the list")
    text = text_of(node, arguments[0])
    context.use("trim")
    return Value(f"{TRIMS[name]}({text.sql}, ' ')", text.kind, text.raises)


def trim(node: exp.Expr, context: Context) -> Value:
    """Render TRIM in its own syntax."""
    position = str(node.args.get("position") or "").lower()
    name = {"": "trim", "both": "trim", "leading": "ltrim", "trailing": "rtrim"}.get(position)
    if name is None:
        refuse(node, "it is not on the list")
    parts = [node.this, *([node.expression] if node.args.get("expression") else [])]
    return trimmed(node, name, [context.value(part) for part in parts], context)


def replaced(node: exp.Expr, arguments: Sequence[Value], context: Context) -> Value:
    """Render replace(text, constant, constant)."""
    text = text_of(node, arguments[0])
    old, new = (_constant(node, one) for one in arguments[1:])
    context.use("replace")
    if not old:
        refuse(node, "the string looked for is empty")
    return Value(f"replace({text.sql}, {string(old)}, {string(new)})", text.kind, text.raises)


def position(node: exp.Expr, value: Value, wanted: Value, context: Context) -> Value:
    """Render strpos(text, constant)."""
    text, needle = text_of(node, value), _constant(node, wanted)
    if not needle:
        refuse(node, "the string looked for is empty")
    context.use("position")
    sql = f"CAST(strpos({text.sql}, {string(needle)}) AS INTEGER)"
    return Value(sql, INT4, text.raises)


def starts_with(node: exp.Expr, value: Value, wanted: Value, context: Context) -> Value:
    """Render the test for a constant beginning."""
    text, needle = text_of(node, value), _constant(node, wanted)
    context.use("starts with")
    return Value(f"starts_with({text.sql}, {string(needle)})", Kind("bool"), text.raises)


def _constant(node: exp.Expr, value: Value) -> str:
    if value.kind.name not in ("text", "unknown") or not isinstance(value.constant, str):
        refuse(node, "only a constant string is on the list there")
    return value.constant


def to_text(node: exp.Expr, value: Value, context: Context) -> Value:
    """Render a cast to text."""
    context.use("cast to text")
    if value.kind.name in ("text", "bpchar") or value.kind == UNKNOWN:
        return text_of(node, value)
    if value.kind.name not in (*INTEGERS, "uuid"):
        refuse(node, f"a cast from {value.kind.name} to text is not on the list")
    return Value(f"CAST({value.sql} AS VARCHAR)", TEXT, value.raises)

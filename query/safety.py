"""What may stand in a query that is split.

Each fragment runs in its own session and transaction, so everything in it must mean the same
there: no volatile function, nothing that depends on the transaction's own time, nothing whose
result may differ between two runs over the same rows.  What is not known to be safe is not.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from sqlglot import exp

from query.aggregate_call import AGGREGATES, BITS, LOGIC, is_aggregate
from query.catalog import Catalog
from query.dialect import render
from query.nested import nested_reasons, renamed_in
from query.statement import identifier
from query.types import TEMPORAL
from query.windows import is_window_function, window_reasons

SAFE_NODES: frozenset[type[exp.Expr]] = frozenset({
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered,
    exp.Limit, exp.Offset, exp.Fetch, exp.LimitOptions, exp.Distinct, exp.With, exp.CTE,
    exp.Subquery, exp.Table, exp.TableAlias, exp.Alias, exp.Identifier, exp.Column, exp.Star,
    exp.Tuple, exp.Paren, exp.Literal, exp.Boolean, exp.Null, exp.Parameter, exp.Cast,
    exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.Case, exp.If, exp.Coalesce,
    exp.Nullif, exp.Greatest, exp.Least, exp.And, exp.Or, exp.Not, exp.Neg, exp.BitwiseNot,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Between, exp.In, exp.Exists, exp.Any, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod,
    exp.Pow, exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseLeftShift,
    exp.BitwiseRightShift, exp.DPipe, exp.Like, exp.ILike, exp.SimilarTo, exp.Collate,
    exp.RegexpLike, exp.RegexpILike, exp.Escape, exp.Array, exp.Anonymous, exp.Extract,
    exp.Substring, exp.StrPosition, exp.Trim, exp.Filter, exp.Union, exp.Values, exp.Lateral,
    exp.Unnest, exp.AtTimeZone, exp.JSONExtract, exp.JSONExtractScalar, exp.JSONPath,
    exp.JSONPathRoot, exp.JSONPathKey, exp.JSONPathSubscript, exp.ArrayContainsAll,
    exp.ArrayContainedBy, exp.ArrayOverlaps, exp.Bracket, exp.All,
    exp.WithinGroup, exp.Rollup, exp.Cube, exp.GroupingSets, exp.Window, exp.WindowSpec,
    *AGGREGATES,
})  # fmt: skip

# Built-in functions that are stable through settings alone that every session of ours pins (time
# zone, date style, digits of floats), besides immutable ones that are called most: PostgreSQL is
# asked about all others.  Not `age(x)`, which looks at today's date.
SAFE_FUNCTIONS = frozenset({
    "abs", "ascii", "bit_length", "btrim", "cbrt", "ceil", "ceiling", "char_length",
    "character_length", "chr", "concat", "concat_ws", "date_bin", "date_part", "date_trunc",
    "degrees", "div", "exp", "factorial", "floor", "gcd", "initcap", "isfinite", "lcm", "left",
    "length", "ln", "log", "log10", "lower", "lpad", "ltrim", "make_date", "make_interval",
    "make_time", "make_timestamp", "md5", "mod", "num_nonnulls", "num_nulls", "octet_length",
    "overlay", "pi", "pow", "power", "radians", "regexp_replace", "repeat", "replace",
    "reverse", "right", "round", "rpad", "rtrim", "scale", "sign", "split_part", "sqrt",
    "starts_with", "strpos", "substr", "to_char", "to_hex", "translate", "trim_scale", "trunc",
    "upper", "width_bucket", "all", "row", "format", "to_number", "to_date", "to_timestamp",
    "timezone", "array_to_string", "string_to_array", "quote_literal", "quote_nullable", "to_json",
    "to_jsonb", "row_to_json", "json_build_object", "json_build_array", "jsonb_build_object",
    "jsonb_build_array", "array_to_json", "grouping",
})  # fmt: skip

# They may stand in FROM, where each of their rows is joined to a row of what stands before them.
SAFE_IN_FROM = frozenset({
    "generate_series", "unnest", "json_array_elements", "json_array_elements_text", "json_each",
    "json_each_text", "json_object_keys", "jsonb_array_elements", "jsonb_array_elements_text",
    "jsonb_each", "jsonb_each_text", "jsonb_object_keys", "regexp_split_to_table",
    "regexp_matches", "string_to_table", "generate_subscripts",
})  # fmt: skip

TRANSACTION_TIME = frozenset({
    "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp",
})  # fmt: skip
MOVING_LITERAL = re.compile(r"\b(now|today|tomorrow|yesterday)\b", re.IGNORECASE)
TEMPORAL_FUNCTIONS = frozenset({"date_trunc", "date_bin", "make_date", "make_timestamp"})
TEMPORAL_TYPES = ("DATE", "TIME", "TIMETZ", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPNTZ")


def moves_with_time(text: str) -> bool:
    """Tell whether a text, read as a date or time, may depend on when it is read."""
    return MOVING_LITERAL.search(text) is not None


def unsafe_reason(tree: exp.Expr, catalog: Catalog, *, nested: bool = True) -> str | None:
    """Return why `tree` must run whole, or None when all parts of it are safe in fragments.

    Not `nested`: queries inside surely mean the same each time, as the caller knows.
    """
    if catalog.shadowing:
        return f"a function of your own is called {min(catalog.shadowing)}, as a built-in one is"
    for reason in _reasons(tree, replace(catalog, renamed=renamed_in(tree)), nested=nested):
        return reason
    return None


def is_plain_call(node: exp.Expr, catalog: Catalog) -> bool:
    """Tell whether a function yields one value for each row, from that row alone."""
    if isinstance(node, (exp.Window, exp.Filter, exp.AggFunc, exp.Unnest, *AGGREGATES)):
        return False
    return not isinstance(node, exp.Anonymous) or _is_safe_function(node, catalog)


def _is_safe_function(call: exp.Anonymous, catalog: Catalog) -> bool:
    name = str(call.this).lower()
    return name in SAFE_FUNCTIONS or name in catalog.immutable


def _reasons(tree: exp.Expr, catalog: Catalog, *, nested: bool) -> Iterator[str]:
    for node in tree.walk():
        if type(node) not in SAFE_NODES:
            yield f"{_describe(node)} is not known to be safe in fragments"
        elif isinstance(node, exp.Anonymous | exp.Unnest):
            yield from _call(node, tree, catalog)
        elif isinstance(node, exp.Column):
            if isinstance(node.this, exp.Identifier) and identifier(node.this) in TRANSACTION_TIME:
                yield f"{render(node)} is the time of the transaction, which each fragment has anew"
        elif isinstance(node, exp.Literal) and node.is_string and moves_with_time(str(node.this)):
            yield f"{render(node)} may mean the time of the transaction"
        elif isinstance(node, exp.Cast):
            yield from _cast(node, catalog)
        elif isinstance(node, exp.Window):
            yield from window_reasons(node, tree, catalog)
        elif nested and isinstance(node, exp.Select | exp.Union):
            yield from nested_reasons(node, tree, catalog)


def _call(node: exp.Expr, tree: exp.Expr, catalog: Catalog) -> Iterator[str]:
    if is_window_function(node) or (is_aggregate(node) and _is_sure_aggregate(node, tree)):
        return
    in_from = isinstance(node.parent, exp.Table | exp.Lateral | exp.From | exp.Join)
    name = str(node.this).lower() if isinstance(node, exp.Anonymous) else "unnest"
    if in_from and name in SAFE_IN_FROM:
        return
    if not isinstance(node, exp.Anonymous) or not _is_safe_function(node, catalog):
        yield f"the function {name} is not known to be safe in fragments"


def _is_sure_aggregate(call: exp.Expr, tree: exp.Expr) -> bool:
    """Tell whether an aggregate is one of the query itself, or yields the same in any order."""
    return call.parent_select is tree or str(call.this).lower() in LOGIC | BITS


def _describe(node: exp.Expr) -> str:
    text = render(node)
    return text if len(text) <= 40 else node.key.replace("_", " ").upper()


def _cast(node: exp.Cast, catalog: Catalog) -> Iterable[str]:
    target = node.args["to"].sql(dialect="postgres").upper()
    if target.startswith("REG"):
        return [f"a cast to {target.lower()} reads the system catalog"]
    if not target.startswith(TEMPORAL_TYPES):
        return []
    operand = node.this.unnest()
    # texts of literals are looked at where they stand, and those of parameters with each request
    known = exp.Literal | exp.Parameter | exp.Cast | exp.Null | exp.Extract | exp.Interval
    if isinstance(operand, known):
        return []
    if isinstance(operand, exp.Add | exp.Sub):
        return []  # no arithmetic yields a text
    if isinstance(operand, exp.Anonymous) and str(operand.this).lower() in TEMPORAL_FUNCTIONS:
        return []
    if isinstance(operand, exp.Column):
        types = catalog.types_of(identifier(operand.this))
        if types and types <= TEMPORAL:
            return []
    return [f"the text in {render(node)} may mean the time of a transaction"]

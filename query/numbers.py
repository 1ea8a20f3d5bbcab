"""Which expressions are exact numbers, whose sums do not depend on the order of addition."""

from sqlglot import exp

from query.catalog import Catalog
from query.statement import identifier
from query.types import INTEGERS, NUMERIC

# each yields an exact number over exact numbers
ARITHMETIC = (
    exp.Paren, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Coalesce, exp.Nullif,
    exp.Greatest, exp.Least,
)  # fmt: skip
AGGREGATES = (exp.Sum, exp.Avg, exp.Min, exp.Max)
LENGTHS = frozenset({"length", "char_length", "octet_length"})  # integers, of whatever
INTEGER_TARGETS = frozenset({"SMALLINT", "INT", "BIGINT"})


def is_exact_number(node: exp.Expr, catalog: Catalog) -> bool:
    """Tell whether `node` is surely an integer or a numeric, and no float.

    Aggregates may be in it.  Names that mean something else than a column count as unknown.
    """
    if isinstance(node, exp.Column):
        types = catalog.types_of(identifier(node.this)) if _is_named(node) else frozenset()
        return bool(types) and types <= INTEGERS | {NUMERIC}
    if isinstance(node, exp.Literal):
        return not node.is_string
    if isinstance(node, exp.Null | exp.Count | exp.Extract):
        return True
    if isinstance(node, exp.Cast):
        target = node.args["to"].sql(dialect="postgres").upper()
        return target in INTEGER_TARGETS or target.startswith("DECIMAL")
    if isinstance(node, exp.Filter):
        return is_exact_number(node.this, catalog)
    if isinstance(node, exp.Case):
        branches = [branch.args["true"] for branch in node.args["ifs"]]
        default = node.args.get("default")
        branches += [default] if default is not None else []
        return all(is_exact_number(branch, catalog) for branch in branches)
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower() in LENGTHS
    if isinstance(node, exp.Distinct):
        return all(is_exact_number(part, catalog) for part in node.expressions)
    if isinstance(node, ARITHMETIC + AGGREGATES):
        return all(is_exact_number(part, catalog) for part in node.iter_expressions())
    return False


def is_integer(node: exp.Expr, catalog: Catalog) -> bool:
    """Tell whether `node` is surely an integer: a column or a count, or the least or greatest."""
    if isinstance(node, exp.Filter | exp.Min | exp.Max | exp.Paren):
        return is_integer(node.this, catalog)
    if isinstance(node, exp.Column):
        types = catalog.types_of(identifier(node.this)) if _is_named(node) else frozenset()
        return bool(types) and types <= INTEGERS
    return isinstance(node, exp.Count) or (isinstance(node, exp.Literal) and bool(node.is_int))


def _is_named(column: exp.Column) -> bool:
    return isinstance(column.this, exp.Identifier)

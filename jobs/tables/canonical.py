"""One text for equal rows: what is hashed, and what is shown of a value.

The hash functions that PostgreSQL has for its types are made for hash tables, and are too coarse
here: that of numeric ignores the sign, that of arrays their bounds, that of bigint and timestamps
folds two halves together, that of jsonb is an XOR in which elements 32 places apart can change
places.  So the text of a row is hashed, by a function of bytes.
"""

from collections.abc import Sequence

from jobs.tables.relation import Column
from jobs.tables.sql_text import name

NUMERIC, MONEY, BPCHAR, FLOAT4, FLOAT8 = 1700, 790, 1042, 700, 701
INTEGERS = frozenset({20, 21, 23})
TEXTS = frozenset({19, 25, 1043})
# their texts are never empty and hold no comma, so a comma ends them:
# boolean, oid, float4, float8, date, time, timestamp, timestamptz, timetz, uuid
_PLAIN = frozenset({16, 26, FLOAT4, FLOAT8, 1082, 1083, 1114, 1184, 1266, 2950, NUMERIC, MONEY})
_MOST_COLUMNS = 48  # of up to two arguments each: PostgreSQL allows a function 100

TYPMOD_HEAD = 4


def family(column: Column) -> str:
    """Return what a column may be compared with: all of the same family."""
    if column.oid in INTEGERS or column.oid == NUMERIC:
        return "number"
    return "text" if column.oid in TEXTS else column.type


def scale(column: Column) -> int | None:
    """Return how many digits behind the point each value of a numeric column is kept with."""
    if column.oid != NUMERIC or column.is_domain or column.typmod < TYPMOD_HEAD:
        return None
    digits = (column.typmod - TYPMOD_HEAD) & 0x7FF  # 11 bits, signed (PostgreSQL 15 and later)
    return digits if digits < 0x400 else None


def is_fixed(column: Column, other: Column) -> bool:
    """Whether equal numbers of both have one text without further ado."""
    return scale(column) is not None and scale(column) == scale(other)


def value(column: Column, *, fixed: bool, table: str = "t") -> str:
    """Return the expression whose text is the value's canonical one, or NULL."""
    written = f"{table}.{name(column.name)}"
    if column.is_domain:
        written = f"{written}::{column.type}"
    if column.oid == NUMERIC:
        return written if fixed else f"trim_scale({written})"
    if column.oid == FLOAT4:
        return f"({written} + '0'::float4)"  # -0 equals 0
    if column.oid == FLOAT8:
        return f"({written} + '0'::float8)"
    if column.oid == MONEY:
        return f"{written}::numeric"  # its text would depend on lc_monetary
    if column.oid in INTEGERS or column.oid in _PLAIN:
        return written
    return f"{written}::text"  # of char(n) without the blanks that pad it


def payload(columns: Sequence[tuple[Column, bool]]) -> str:
    """Return the expression for the text of a row, which no other row has.

    `columns` with whether their numbers have a fixed scale.  Values are separated by commas, those
    that can hold one are led by their length; what is NULL is left out, and told at the front.
    """
    groups = [
        _group(columns[start : start + _MOST_COLUMNS])
        for start in range(0, len(columns), _MOST_COLUMNS)
    ]
    # by this collation equal texts are equal bytes, and so are their hashes everywhere
    return f"""({" || ',' || ".join(groups)}) COLLATE "C\""""


def _group(columns: Sequence[tuple[Column, bool]]) -> str:
    # not IS NULL: that is also true of a composite value whose fields are all NULL
    written = [f"t.{name(column.name)}" for column, _ in columns]
    nulls = ", ".join(f"num_nulls({one})" for one in written)
    any_null = f"CASE num_nulls({', '.join(written)}) WHEN 0 THEN '' ELSE concat({nulls}) END"
    pieces = [any_null]
    for column, fixed in columns:
        one = value(column, fixed=fixed)
        if column.oid not in INTEGERS and column.oid not in _PLAIN:
            pieces.append(f"octet_length({one})")
        pieces.append(one)
    return f"concat_ws(',', {', '.join(pieces)})"

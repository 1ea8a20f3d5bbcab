"""An expression as DuckDB reads it, with all that rendering knows of its values."""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from query.columnar.kinds import (
    FLOATS,
    INTEGER_BOUNDS,
    INTEGERS,
    MOST_DIGITS,
    TEMPORAL,
    Kind,
    numeric,
)

Constant = int | Decimal | str | bool | date | datetime
UNKNOWN = Kind("unknown")
BOOL = Kind("bool")

INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
NUMBER = re.compile(r"[+-]?([0-9]{1,37}(\.[0-9]{0,37})?|\.[0-9]{1,37})")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?"
)
ZONE_OF_UTC = re.compile(r"([+-]00(:?00)?|Z)$")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TRUE = frozenset({"t", "true"})
FALSE = frozenset({"f", "false"})


@dataclass(frozen=True)
class Value:
    """An expression: DuckDB's text, which needs no parentheses around it, and its kind.

    `raises` tells that PostgreSQL may raise an error for some values.  `constant` is the value of
    a constant that is not null.  `shown` is the expression of the scale that PostgreSQL shows,
    where the kind has several.
    """

    sql: str
    kind: Kind
    raises: bool = False
    constant: Constant | None = None
    shown: str | None = None

    @property
    def scale_sql(self) -> str:
        """The expression of the scale that PostgreSQL shows."""
        return self.shown if self.shown is not None else str(self.kind.scales[0])

    @property
    def is_null(self) -> bool:
        """Tell whether this is a bare NULL."""
        return self.kind == UNKNOWN and self.constant is None


def null_of(kind: Kind) -> Value:
    """Return the null of a kind."""
    if kind.name == "numeric":
        kind = numeric(kind.digits, kind.scale)
    return Value(f"CAST(NULL AS {kind.duckdb})", kind)


def string(text: str) -> str:
    """Return a string as DuckDB reads it: quotes doubled, and no escapes."""
    return "'" + text.replace("'", "''") + "'"


def failing(why: str, sql: str, type_: str) -> str:
    """Return an expression of DuckDB's type `type_` that raises, with the value of `sql`, not null.

    Not DuckDB's `error`, which is volatile: near that, conditions are not pushed into joins.
    """
    text = f"{string(f'{why}: ')} || CAST({sql} AS VARCHAR)"
    if type_ == "VARCHAR":
        return f"CAST(CAST({text} AS BIGINT) AS VARCHAR)"
    return f"CAST({text} AS {type_})"


def constant(value: Constant, kind: Kind) -> Value:
    """Return a constant of a kind that holds it."""
    if isinstance(value, bool):
        return Value("true" if value else "false", kind, constant=value)
    if isinstance(value, str) and kind.name in ("text", "bpchar", "unknown"):
        return Value(string(value), kind, constant=value)
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return Value(f"CAST({string(text)} AS {kind.duckdb})", kind, constant=value)


def integer(value: int) -> Value | None:
    """Return an integer of the smallest type from int4 on, numeric beyond; None: too large."""
    for name in ("int4", "int8"):
        if -INTEGER_BOUNDS[name] <= value < INTEGER_BOUNDS[name]:
            return constant(value, Kind(name))
    return decimal(Decimal(value))


def decimal(value: Decimal) -> Value | None:
    """Return a numeric constant with its own scale; None: it has too many digits."""
    _, digits, exponent = value.as_tuple()
    scale = -int(exponent)
    size = max(len(digits), scale + 1)
    return None if scale < 0 or size > MOST_DIGITS else constant(value, numeric(size, scale))


def read(text: str, kind: Kind) -> Value | None:
    """Read a string as PostgreSQL's input function of the kind does; None: not one we know."""
    if kind.name in ("text", "bpchar"):
        return constant(text, replace(kind, collation="", bytewise=True, length=-1))
    if kind.name in INTEGERS:
        bound = INTEGER_BOUNDS[kind.name]
        number = int(text) if INTEGER.fullmatch(text) else bound
        return constant(number, kind) if -bound <= number < bound else None
    if kind.name == "numeric":
        return decimal(Decimal(text)) if NUMBER.fullmatch(text) else None
    if kind.name in FLOATS:
        # nearest, ties to even, in both; nothing so long that a reader might round twice
        return Value(f"CAST({string(text)} AS {kind.duckdb})", kind) if _is_short(text) else None
    if kind.name == "bool":
        known = text.lower() in TRUE | FALSE
        return constant(text.lower() in TRUE, kind) if known else None
    if kind.name == "uuid":
        is_uuid = UUID.fullmatch(text) is not None
        return Value(f"CAST({string(text.lower())} AS UUID)", kind) if is_uuid else None
    return _read_time(text, kind) if kind.name in TEMPORAL else None


def _is_short(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None and len(text) <= 15


def _read_time(text: str, kind: Kind) -> Value | None:
    if kind.name == "timestamptz":
        text = ZONE_OF_UTC.sub("", text)  # sessions are in UTC
    try:
        if kind.name == "date" and DATE.fullmatch(text):
            return constant(date.fromisoformat(text), kind)
        if kind.name != "date" and TIMESTAMP.fullmatch(text):
            return constant(_datetime(text), kind)
    except ValueError:  # the 30th of February
        return None
    return None


def _datetime(text: str) -> datetime:
    point, _, fraction = text.partition(".")
    # UTC throughout, so nothing here has a zone
    return datetime.fromisoformat(point).replace(microsecond=int(fraction.ljust(6, "0") or 0))

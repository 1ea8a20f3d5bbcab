"""The types that both engines have, and what is known of values beyond their type."""

from dataclasses import dataclass

from query.types import (
    BOOL,
    BPCHAR,
    BYTEA,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    VARCHAR,
)

MOST_DIGITS = 38  # of a DECIMAL
# A DECIMAL without digits before the point is written as `.10`, so that one is kept for them.
LARGEST_SCALE = MOST_DIGITS - 1
VARHDRSZ = 4  # type modifiers of strings and numerics count from it

INTEGERS = ("int2", "int4", "int8")
INTEGER_DIGITS = {"int2": 5, "int4": 10, "int8": 19}
INTEGER_BOUNDS = {"int2": 1 << 15, "int4": 1 << 31, "int8": 1 << 63}
EXACT = (*INTEGERS, "numeric")
FLOATS = ("float4", "float8")
TEMPORAL = ("date", "timestamp", "timestamptz")
DUCKDB_TYPES = {
    "int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "float4": "FLOAT", "float8": "DOUBLE",
    "bool": "BOOLEAN", "text": "VARCHAR", "bpchar": "VARCHAR", "date": "DATE", "uuid": "UUID",
    # in UTC: a TIMESTAMPTZ of DuckDB brings the rules of an extension of its own with it
    "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP", "bytea": "BLOB",
}  # fmt: skip
OIDS = {
    "int2": {INT2}, "int4": {INT4}, "int8": {INT8}, "numeric": {NUMERIC}, "float4": {FLOAT4},
    "float8": {FLOAT8}, "bool": {BOOL}, "text": {TEXT, VARCHAR}, "bpchar": {BPCHAR},
    "date": {DATE}, "timestamp": {TIMESTAMP}, "timestamptz": {TIMESTAMPTZ}, "uuid": {UUID},
    "bytea": {BYTEA},
}  # fmt: skip
NAMES = {oid: name for name, oids in OIDS.items() for oid in oids}


@dataclass(frozen=True)
class Kind:
    """A type, by PostgreSQL's name for it.

    Of numeric, `digits` bounds what DuckDB's DECIMAL holds, `scale` is the number of digits that
    it keeps behind the point, and `scales` are those that PostgreSQL may show.  Of char, `length`
    is its own; -1: not known.  Of strings, `collation` is its name, nothing for that of the
    database, and `bytewise` tells that it sorts by bytes.  Strings that take the type of what
    they meet, and a bare NULL, have the name `unknown`.
    """

    name: str
    digits: int = 0
    scale: int = 0
    scales: tuple[int, ...] = ()
    length: int = -1
    collation: str = ""
    bytewise: bool = True

    @property
    def duckdb(self) -> str:
        """The type's name in DuckDB."""
        if self.name == "numeric":
            return f"DECIMAL({self.digits},{self.scale})"
        return DUCKDB_TYPES[self.name]

    @property
    def looks_alike(self) -> bool:
        """Tell whether equal values of this kind are the same text."""
        if self.name == "numeric":
            return len(self.scales) == 1
        return self.name not in FLOATS and (self.name != "bpchar" or self.length >= 0)

    @property
    def sorts_by_bytes(self) -> bool:
        """Tell whether values of this kind sort in DuckDB as in PostgreSQL.

        Strings that are made here have the database's collation, which is not known.
        """
        if self.name in ("text", "bpchar"):
            return bool(self.collation) and self.bytewise
        return self.name != "bool"


def numeric(digits: int, scale: int, *scales: int) -> Kind:
    """Return the kind of numerics of so many digits, at most as many as DuckDB has.

    PostgreSQL shows `scale` digits behind the point, or as many as one of `scales` says.
    """
    digits = min(MOST_DIGITS, max(digits, scale + 1))
    return Kind("numeric", digits, scale, tuple(sorted(set(scales or (scale,)))))


def as_numeric(kind: Kind) -> Kind:
    """Return what a number of an exact kind is as a numeric."""
    return kind if kind.name == "numeric" else numeric(INTEGER_DIGITS[kind.name], 0)


def kind_of(oid: int, typmod: int, collation: str = "", *, bytewise: bool = False) -> Kind | None:
    """Return the kind of a column's type; None where DuckDB has none that is its equal."""
    name = NAMES.get(oid)
    if name == "numeric":
        if typmod < VARHDRSZ:
            return None  # of any scale
        digits, scale = (typmod - VARHDRSZ) >> 16 & 0xFFFF, (typmod - VARHDRSZ) & 0x7FF
        if scale > min(digits, LARGEST_SCALE) or digits > MOST_DIGITS:  # negative ones are large
            return None
        return numeric(digits, scale)
    if name in ("text", "bpchar"):
        length = typmod - VARHDRSZ if name == "bpchar" and typmod >= VARHDRSZ else -1
        return Kind(name, length=length, collation=collation, bytewise=bytewise)
    return Kind(name) if name is not None else None

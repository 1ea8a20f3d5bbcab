"""What planning knows of PostgreSQL's types, by their oids in `pg_type`."""

from dataclasses import dataclass

# fmt: off
BOOL, BYTEA, CHAR, NAME, INT8, INT2, INT4, TEXT, OID = 16, 17, 18, 19, 20, 21, 23, 25, 26
JSON, FLOAT4, FLOAT8, MONEY, BPCHAR, VARCHAR, DATE, TIME = (
    114,
    700,
    701,
    790,
    1042,
    1043,
    1082,
    1083,
)
TIMESTAMP, TIMESTAMPTZ, INTERVAL, TIMETZ, NUMERIC, UUID, JSONB = (
    1114,
    1184,
    1186,
    1266,
    1700,
    2950,
    3802,
)
BIT, VARBIT, INET, CIDR, MACADDR, MACADDR8, LSN = 1560, 1562, 869, 650, 829, 774, 3220

INTEGERS = frozenset({INT2, INT4, INT8})
FLOATS = frozenset({FLOAT4, FLOAT8})
TEMPORAL = frozenset({DATE, TIME, TIMESTAMP, TIMESTAMPTZ, TIMETZ})
COLLATABLE = frozenset({TEXT, BPCHAR, VARCHAR, NAME})

# Equal values of these types have one representation, so it does not matter which of several
# equal values an aggregate or a group keeps.  Not so for 1.0 and 1.00, 0 and -0, '1 day' and
# '24:00'.  Types with a collation count only while that is deterministic.  Equal arrays have the
# same bounds and equal elements: bool, int2, int4, int8, date, time, timestamp(tz), uuid.
ARRAYS = frozenset({1000, 1005, 1007, 1016, 1182, 1183, 1115, 1185, 2951})
ONE_REPRESENTATION = INTEGERS | ARRAYS | {
    BOOL, BYTEA, CHAR, NAME, TEXT, OID, VARCHAR, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, TIMETZ, UUID,
    MONEY, BIT, VARBIT, INET, CIDR, MACADDR, MACADDR8, LSN,
}  # fmt: skip
EXTREMES = INTEGERS | ARRAYS | {
    BYTEA, NAME, TEXT, OID, VARCHAR, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, TIMETZ, MONEY, INET, CIDR,
    LSN, BPCHAR, NUMERIC, FLOAT4, FLOAT8,
}  # fmt: skip


@dataclass(frozen=True)
class TypeFact:
    """The type of a column of a result, as PostgreSQL described it.

    `name` is what CAST takes, with its modifier; `base_name` without.  `collation` is the quoted
    name for COLLATE, None where the type has none or where it is the database's default.
    `kind` is `pg_type.typtype` (b base, e enum, c composite, p pseudo …), `is_array` tells arrays.
    """

    oid: int
    typmod: int
    name: str
    base_name: str
    kind: str = "b"
    is_array: bool = False
    collation: str | None = None
    deterministic: bool = True

    @property
    def has_one_representation(self) -> bool:
        """Tell whether equal values of this type are always the same text."""
        if not self.deterministic:
            return False
        if self.kind == "e":
            return True
        if self.oid in (BPCHAR, NUMERIC):
            return self.typmod >= 0  # padded, or rounded, to one length or scale
        return self.oid in ONE_REPRESENTATION

    @property
    def needs_scale_check(self) -> bool:
        """Tell whether equal values may differ in scale only, which can be seen by `scale()`."""
        return self.oid == NUMERIC and self.typmod < 0

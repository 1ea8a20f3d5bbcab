"""A table with a column of each type, and values for it by chance."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import psycopg
from hypothesis import strategies as st

COLUMNS: Mapping[str, str] = {
    "id": "int", "i2": "smallint", "i4": "int", "i5": "int", "i8": "bigint", "n": "numeric(12,2)",
    "m": "numeric(9,4)", "w": "numeric(38,0)", "p": "numeric(2,2)", "f8": "double precision",
    "f4": "real", "b": "boolean", "c": "boolean", "tx": "text", "te": 'text COLLATE "C"',
    "vc": "varchar(6)", "ch": "char(4)", "d": "date", "e": "date", "ts": "timestamp",
    "tz": "timestamptz", "u": "uuid", "raw": "bytea",
}  # fmt: skip
LETTERS = "aAbz1 _%é\u00df漢🙂'\t\n\""
TRICKY_FLOATS = [0.0, -0.0, 1.5, -2.0, float("inf"), float("-inf"), 0.1, 1e308, 5e-324]


def _integers(bits: int) -> st.SearchStrategy[int]:
    bound = 1 << (bits - 1)
    edges = [-bound, bound - 1, -1, 0, 1, 2, 3, 7, 10, -7]
    return st.sampled_from(edges) | st.integers(-20, 20) | st.integers(-bound, bound - 1)


def _decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    bound = 10**digits - 1
    whole = st.integers(-200, 200) | st.integers(-bound, bound) | st.sampled_from([bound, -bound])
    return whole.map(lambda n: Decimal(f"{max(-bound, min(bound, n))}e-{scale}"))


DATES = st.dates(date(1960, 1, 1), date(2040, 12, 31)) | st.dates() | st.sampled_from(
    [date(2024, 2, 29), date(2024, 12, 31), date(2024, 1, 1), date(1, 1, 1), date(9999, 12, 31)]
)  # fmt: skip
TIMES = st.datetimes(datetime(1960, 1, 1), datetime(2040, 12, 31)) | st.datetimes()  # noqa: DTZ001
VALUES: Mapping[str, st.SearchStrategy[object]] = {
    "i2": _integers(16), "i4": _integers(32), "i5": _integers(32), "i8": _integers(64),
    "n": _decimals(12, 2), "m": _decimals(9, 4), "w": _decimals(38, 0), "p": _decimals(2, 2),
    "f8": st.sampled_from(TRICKY_FLOATS) | st.floats(-100, 100, width=32),
    "f4": st.sampled_from(TRICKY_FLOATS[:7]) | st.floats(-100, 100, width=32),
    "b": st.booleans(), "c": st.booleans(),
    "tx": st.text(LETTERS, max_size=6), "te": st.text(LETTERS, max_size=6),
    "vc": st.text(LETTERS, max_size=6), "ch": st.text(LETTERS, max_size=4),
    "d": DATES, "e": DATES, "ts": TIMES, "tz": TIMES, "u": st.uuids(),
    "raw": st.binary(max_size=4),
}  # fmt: skip
ROW = st.fixed_dictionaries({name: st.none() | some for name, some in VALUES.items()})
ROWS = st.lists(ROW, max_size=5)
# one of everything, for which no form on the list raises
PLAIN: Sequence[Mapping[str, object]] = [
    {
        "i2": number + 1, "i4": number * 3 - 4, "i5": number + 1, "i8": number * 10**4 + 1,
        "n": Decimal(number * 125).scaleb(-2), "m": Decimal(-number * 12345).scaleb(-4),
        "w": Decimal(number), "p": Decimal(number).scaleb(-2), "f8": number / 4, "f4": number / 2,
        "b": number % 2 == 0, "c": number % 3 == 0, "tx": f"xa{number}", "te": f" b{number}x ",
        "vc": "aB"[: number], "ch": "ab"[: number], "d": date(2024, 1, 29 + number % 3),
        "e": date(2023, 12, 31), "ts": datetime(2024, 2, 29, 13, 59, 58, number),  # noqa: DTZ001
        "tz": datetime(2024, 3, 31, 1, 30), "u": f"00000000-0000-0000-0000-00000000000{number}",  # noqa: DTZ001
        "raw": bytes([number, 255]),
    }
    for number in range(6)
] + [{}]  # fmt: skip


def create(connection: psycopg.Connection) -> None:
    """Make the table."""
    columns = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
    connection.execute(f"CREATE TABLE v ({columns})".encode())


def fill(connection: psycopg.Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Put `rows` in place of those of the table."""
    documents = [
        {"id": number, **{name: _text(value) for name, value in row.items()}}
        for number, row in enumerate(rows)
    ]
    connection.execute(b"TRUNCATE v")
    connection.execute(
        b"INSERT INTO v SELECT * FROM json_populate_recordset(NULL::v, %s)",
        [json.dumps(documents)],
    )


def _text(value: object) -> object:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if value is None or isinstance(value, (bool, int)):
        return value
    return str(value)

"""What is read back from a file equals what PostgreSQL has, or the column is not in it."""

import struct
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.builder import Builder
from segments.file_format import PARQUET
from tests.integration.segments.conftest import Stand

_TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
_AWKWARD = st.sampled_from(["", "\\N", "NULL", '"', '""', "\\.", "a\nb", "\r\n", ",", " ", "nan"])
_SINGLE = st.floats(width=32, allow_nan=False)
_CHARS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=7)
_MOMENTS = st.datetimes()


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda n: Decimal(f"{n}E-{scale}"))


def bits(size: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (size - 1)), 2 ** (size - 1) - 1)


COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "b": st.booleans(),
    "i2": bits(16),
    "i4": bits(32),
    "i8": bits(64),
    "f4": _SINGLE,
    "f8": st.floats(allow_nan=False),
    "s": _TEXT | _AWKWARD,
    "v": _TEXT | _AWKWARD,
    "d": st.dates(),
    "c": _CHARS.map(lambda text: text.ljust(7)),
    "ts": _MOMENTS,
    "tz": _MOMENTS,
    "n": decimals(12, 4),
    "wide": decimals(38, 10),
    "u": st.uuids(),
    "bytes": st.binary(max_size=20),
}
_ROWS = st.lists(st.tuples(*(st.none() | values for values in COLUMNS.values())), max_size=12)


def same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and isinstance(found, float):
        return pack(found) == pack(wanted)
    return type(found) is type(wanted) and bool(found == wanted)


def pack(value: float) -> bytes:
    return struct.pack("d", value)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_ROWS)
def test_values_of_every_type_come_back(stand: Stand, rows: list[tuple[Any, ...]]) -> None:
    if not hasattr(stand, "table"):
        stand.track()
    stand.run("TRUNCATE t")
    names = ["id", *COLUMNS]
    given_rows = [(number, *row) for number, row in enumerate(rows)]
    stand.insert(names, given_rows)
    segment = stand.build()
    found = stand.rows_of(segment)
    assert segment.left_out == {}
    assert segment.row_count == len(found) == len(rows)
    for row, wanted in zip(found, given_rows, strict=True):
        for name, value in zip(names, wanted, strict=True):
            assert same(row[name], value), (name, row[name], value)
    for name in ("i2", "i8", "d", "n", "wide"):
        present = [row[name] for row in found if row[name] is not None]
        statistics = (segment.statistics or {})[name]
        assert statistics["nulls"] == len(found) - len(present)
        assert statistics["min"] == (str(min(present)) if present else None)
        assert statistics["max"] == (str(max(present)) if present else None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("d", "infinity"), ("d", "-infinity"), ("d", "0044-03-15 BC"), ("d", "10000-01-01"),
        ("ts", "infinity"), ("ts", "0044-03-15 12:00 BC"), ("ts", "294276-12-31 23:59:59"),
        ("tz", "-infinity"), ("tz", "10000-01-01 00:00+00"), ("n", "NaN"), ("wide", "NaN"),
        ("f4", "NaN"), ("f8", "NaN"),
    ],
)  # fmt: skip
def test_a_column_with_a_value_that_does_not_fit_is_left_out(
    stand: Stand, column: str, value: str
) -> None:
    stand.run(
        "INSERT INTO t (id, s) SELECT n, 'x' FROM generate_series(1, 3000) AS n",
        f"INSERT INTO t (id, {column}) VALUES (4000, '{value}')",
    )
    stand.track()
    segment = stand.build()
    assert list(segment.left_out or {}) == [column]
    rows = stand.rows_of(segment)
    assert len(rows) == segment.row_count == 3001
    assert column not in rows[0]
    assert {row["s"] for row in rows} == {"x", None}
    assert stand.state().clean == {segment.id}


def test_types_without_an_exact_counterpart_are_left_out_with_the_reason(stand: Stand) -> None:
    stand.run(
        "CREATE DOMAIN small AS int", "CREATE TYPE mood AS ENUM ('sad')",
        "CREATE TABLE odd (id int PRIMARY KEY, a numeric, b numeric(39,0), c numeric(5,-2),"
        " c2 numeric(3,5), d numeric(38,38), e json, f jsonb, g int[], h interval, i time, j small,"
        " k mood, l inet, m money, n int GENERATED ALWAYS AS (id + 1) STORED, o numeric(38,37),"
        " x char(5), p varchar, q point, r \"char\", s name, t oid, u timetz, v bit(3), w xml)",
        "INSERT INTO odd (id, o, x) VALUES (7, 0.5, 'a')",
    )  # fmt: skip
    stand.track(name="odd")
    segment = stand.build()
    assert sorted(segment.left_out or {}) == sorted(["a", "b", "c", "c2", *"defghijklmqrstuvw"])
    (row,) = stand.rows_of(segment)
    assert row == {"id": 7, "n": 8, "o": Decimal("0.5"), "x": "a    ", "p": None}


def test_a_table_of_one_column_keeps_its_rows(stand: Stand) -> None:
    stand.run("CREATE TABLE one (id uuid PRIMARY KEY)")
    stand.track(name="one")
    assert stand.rows_of(stand.build()) == []
    stand.run("INSERT INTO one SELECT md5(n::text)::uuid FROM generate_series(1, 500) AS n")
    rows = stand.rows_of(stand.build())
    assert len(rows) == 500
    assert [row["id"] for row in rows] == sorted(UUID(str(row["id"])) for row in rows)


def test_the_least_and_the_greatest_dates_of_the_calendar_fit(stand: Stand) -> None:
    stand.insert(["id", "d"], [(1, date(1, 1, 1)), (2, date(9999, 12, 31))])
    stand.track()
    assert [row["d"] for row in stand.rows_of(stand.build())] == [date.min, date.max]


def test_the_statistics_of_row_groups_are_exact_or_there_are_none(stand: Stand) -> None:
    """The engine takes extremes, and what it may pass over, from them."""
    stand.run(
        "INSERT INTO t (id, s, v, c, f8, u, bytes) SELECT n,"
        " repeat('é', (n % 3) * 40) || chr(60 + n % 70), chr(8000 + n % 500), chr(200 + n % 60),"
        " CASE n % 5 WHEN 0 THEN '-0' WHEN 1 THEN '0' ELSE n - 1500 END::float8,"
        " md5(n::text)::uuid, decode(md5(n::text), 'hex') FROM generate_series(1, 3000) AS n",
        "UPDATE t SET s = repeat('z', 9000) || s WHERE id > 2500",
    )
    stand.track()
    stand.builder = Builder(stand.owner, stand.reader, stand.folder, stand.settings, PARQUET)
    segment = stand.build()
    metadata = pq.read_metadata(stand.folder.path(segment.file_name))
    rows = stand.rows_of(segment)
    told = 0
    first = 0
    for group in (metadata.row_group(place) for place in range(metadata.num_row_groups)):
        for place in range(metadata.num_columns):
            column = group.column(place)
            statistics = column.statistics
            assert statistics is not None
            values = [row[column.path_in_schema] for row in rows[first:][: group.num_rows]]
            present = [value for value in values if value is not None]
            assert statistics.null_count == len(values) - len(present)
            if statistics.has_min_max:
                told += 1
                # text by its bytes
                order = [one.encode() if isinstance(one, str) else one for one in present]
                least, greatest = statistics.min, statistics.max
                if isinstance(least, str):
                    least, greatest = least.encode(), greatest.encode()
                if isinstance(order[0], UUID):
                    least, greatest = UUID(bytes=least), UUID(bytes=greatest)
                assert (least, greatest) == (min(order), max(order)), column.path_in_schema
        first += group.num_rows
    assert metadata.num_row_groups > 1
    assert told > 10

"""The canonical encoding of rows: it must never change, and never let two rows meet."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing.errors import RowRefused
from hashing.rows import Value, encode_row

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.binary(max_size=5),
    st.decimals(allow_nan=False, allow_infinity=False), st.text(max_size=5),
)  # fmt: skip
ROWS = st.lists(VALUES, max_size=4)


def identity(value: Value) -> tuple[str, Value]:
    """Return what makes a value itself: type and value, as equality in PostgreSQL sees them."""
    return type(value).__name__, value


@given(left=ROWS, right=ROWS)
def test_rows_have_equal_bytes_exactly_when_they_are_equal(
    left: list[Value], right: list[Value]
) -> None:
    equal = [identity(value) for value in left] == [identity(value) for value in right]
    assert (encode_row(left) == encode_row(right)) == equal


@given(row=ROWS, cut=st.integers(0, 4))
def test_no_row_begins_another(row: list[Value], cut: int) -> None:
    shorter = row[:cut]
    assert len(shorter) == len(row) or not encode_row(row).startswith(encode_row(shorter))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["ab", "c"], ["a", "bc"]),
        ([None], [""]),
        ([], [None]),
        ([""], ["", ""]),
        (["1"], [1]),
        ([1], [1.0]),
        ([1], [True]),
        ([0], [False]),
        ([Decimal(1)], [1]),
        (["a"], [b"a"]),
        (["é"], ["e\u0301"]),
    ],
)
def test_rows_that_look_alike_differ(left: list[Value], right: list[Value]) -> None:
    assert encode_row(left) != encode_row(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (0.0, -0.0),
        (math.nan, float.fromhex("-nan")),
        (Decimal("1.50"), Decimal("1.5")),
        (Decimal(100), Decimal("1E2")),
        (Decimal("0.00"), Decimal("-0")),
        (Decimal("NaN"), Decimal("sNaN")),
    ],
)
def test_equal_values_written_differently_are_the_same(left: Value, right: Value) -> None:
    assert encode_row([left]) == encode_row([right])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "00"),
        (False, "01"),
        (True, "02"),
        (-12, "030000000000000003" + b"-12".hex()),
        (1.5, "0400000000000000083ff8000000000000"),
        (math.nan, "0400000000000000087ff8000000000000"),
        (Decimal("-1.50"), "050000000000000006" + b"-15E-1".hex()),
        (Decimal("-Infinity"), "050000000000000009" + b"-Infinity".hex()),
        (Decimal("0.0"), "050000000000000003" + b"0E0".hex()),
        ("é", "060000000000000002c3a9"),
        (b"\0\xff", "07000000000000000200ff"),
    ],
)
def test_version_1_is_written_as_documented(value: Value, expected: str) -> None:
    assert encode_row([value]).hex() == "0100000001" + expected
    assert encode_row([]).hex() == "0100000000"


def test_a_decimal_keeps_all_its_digits() -> None:
    digits = "1234567890" * 20 + "1"
    assert digits.encode() in encode_row([Decimal(digits)])


@pytest.mark.parametrize(
    "value", ["\ud800", 10**5000, (1,), object()], ids=["surrogate", "huge", "tuple", "object"]
)
def test_a_value_without_an_encoding_is_refused_by_column(value: Value) -> None:
    with pytest.raises(RowRefused) as caught:
        encode_row(["a", value])
    assert caught.value.column == 1

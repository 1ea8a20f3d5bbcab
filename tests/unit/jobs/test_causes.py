"""Errors that differ only in what they are about have one cause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.causes import LONGEST, cause_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("row 17 is not UTF-8", "row 18923 is not UTF-8"),
        ('relation "a b" does not exist', 'relation "c" does not exist'),
        ("took 1.5 s", "took 22 s"),
        (
            "no job 0f3e2a10-9c1b-4a5d-8e7f-001122334455",
            "no job aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        ),
        ("digest 9f86d081884c7d65 is wrong", "digest 0a1b2c3d4e5f6071 is wrong"),
        ("two\n  lines", "two lines"),
    ],
)
def test_what_varies_is_left_out(one: str, other: str) -> None:
    assert cause_of("E", one) == cause_of("E", other)


@pytest.mark.parametrize(
    ("one", "other"), [("disk full", "disk broken"), ("deadbeef", "facade defaced")]
)
def test_words_are_kept(one: str, other: str) -> None:
    assert cause_of("E", one) != cause_of("E", other)


def test_the_class_tells_apart() -> None:
    assert cause_of("A", "same") != cause_of("B", "same")


@given(st.text())
def test_a_cause_is_short_and_holds_no_number(error: str) -> None:
    cause = cause_of("E", error)
    assert len(cause) <= LONGEST
    assert not any(character.isdecimal() for character in cause)

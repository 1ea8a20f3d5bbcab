"""Rows of jobs as text: the fast ways write what the plain ones do."""

import csv
import io
import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.jobs.row_text import csv_line, csv_text, ndjson_text
from jobs.output import Piece, pack, unpacked

TEXTS = st.text(st.sampled_from('ab,"\\\r\n [](){}é€😀\tfalsetrueNaN')) | st.text()
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = (
    PLAIN | TEXTS | st.lists(PLAIN | TEXTS, max_size=2) | st.dictionaries(TEXTS, PLAIN, max_size=1)
)
PIECES = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1, max_size=4)
)
SIMPLE = st.lists(
    st.tuples(st.integers(), st.text(st.sampled_from("abcdef"), min_size=1)), min_size=1
)

# values that are deep in other values take long to draw on a busy machine
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def piece(rows: Any) -> Piece:
    """Return rows as they come from the ledger."""
    return Piece(1, 0, len(rows), unpacked(pack(rows)).decode())


def plain_field(value: Any) -> str:
    """Return what a reader of CSV gets for a value."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@PATIENT
@given(PIECES | SIMPLE)
@example([[1, "a\rb"], [2, "c"]])
@example([["", None], [None, ""]])
@example([[1, "a,b"]])
@example([[1, "ab"], [2, "cd"], [-3.5e300, "null"]])
@example([[None], [""], ["\\."]])
@example([["],["], ["a"]])
@example([[True, False], ["true", "x"]])
def test_csv_is_the_same_by_either_way_and_is_read_as_it_was(rows: list[list[Any]]) -> None:
    text = csv_text(piece(rows), len(rows[0]))
    assert text == "".join(map(csv_line, rows))
    read = list(csv.reader(io.StringIO(text, newline="")))
    # one null alone is an empty line, in which the reader sees no field
    assert [line or [""] for line in read] == [
        [plain_field(value) for value in row] for row in rows
    ]


@PATIENT
@given(PIECES | SIMPLE)
@example([["],["], ["a"]])
@example([[[1], [2]], [[3], [4]]])
def test_ndjson_is_one_row_a_line(rows: list[list[Any]]) -> None:
    text = ndjson_text(piece(rows))
    assert text.endswith("\n")
    assert [json.loads(line) for line in text[:-1].split("\n")] == [list(row) for row in rows]


def test_null_and_the_empty_text_differ_in_csv() -> None:
    assert csv_text(piece([[1, None], [2, ""]]), 2) == '1,\n2,""\n'

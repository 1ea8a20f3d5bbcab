"""Answers as bytes, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.queries.answer_codec import COMPRESS_FROM_BYTES, decode, encode
from app.queries.request import Answer, Timings
from query.fragment import ColumnType

TEXTS = st.none() | st.text()


def answer_of(rows: list[tuple[str | None, ...]]) -> Answer:
    """Return an answer with these rows of two columns."""
    columns = (ColumnType(25, -1, 'ä "x"'), ColumnType(1700, 786438, "n"))
    timings = Timings(1.5, 0.25, 3.0, 0.0, 5.0, 4.0)
    return Answer(
        columns, ("text", "numeric(12,2)"), rows, True, "partitioned", "why", 4, "7:9:8", timings
    )


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_an_answer_comes_back_as_it_was(rows: list[tuple[str | None, ...]]) -> None:
    answer = answer_of(rows)
    assert decode(encode(answer)) == answer


def test_a_large_answer_is_compressed() -> None:
    answer = answer_of([("the same again", "1.00")] * COMPRESS_FROM_BYTES)
    data = encode(answer)
    assert len(data) < COMPRESS_FROM_BYTES
    assert decode(data) == answer


@pytest.mark.parametrize(
    "data", [b"", b"1", b"1[]", b"2nonsense", b"9{}", b"1{}", b"1\xff", b"2x\x9c"]
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an answer"):
        decode(data)

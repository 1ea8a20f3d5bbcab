"""Where records of a file are found to end, compared with a reader that takes byte after byte."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.worker.rows.reference_csv import read
from worker.rows.records import Lines, QuotedRecords, RecordFormat
from worker.rows.scanner import Broken, Place, Window, stretches, windows

# what matters to the grammar comes often, and long runs of it
TEXTS = st.lists(
    st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"a", b"bc", b'"a",', b'\n"x\ny",'])
).map(b"".join)
LIMITS = st.integers(1, 40)


def divided(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


def expanded(found: list[Window], form: RecordFormat) -> list[tuple[int, bytes | None]]:
    """Return the records of windows: the row's number, and its content, None if it is broken."""
    records: list[tuple[int, bytes | None]] = []
    for window in found:
        contents = window.records or form.split(window.data)
        assert len(contents) == window.rows
        records += [
            (row, None if isinstance(content, Broken) else content)
            for row, content in enumerate(contents, window.at.row)
        ]
    return records


@pytest.mark.parametrize("window_bytes", [7, 64, 256 * 1024])
@settings(deadline=None)
@given(data=TEXTS, sizes=st.lists(st.integers(0, 20)), limit=LIMITS)
@example(data=b'"a\nb,"c\n"d"\n', sizes=[], limit=40)
@example(data=b'a,"b\n' + b"x\n" * 30 + b'"\n', sizes=[], limit=20)
@example(data=b'"a"\r', sizes=[], limit=4)
@example(data=b'"' + b"a" * 39 + b'""b"\n', sizes=[], limit=40)
def test_records_end_where_the_grammar_says(
    window_bytes: int, data: bytes, sizes: list[int], limit: int
) -> None:
    form = QuotedRecords(b",", b'"', limit)
    found = list(windows(divided(data, sizes), form, Place(), window_bytes))
    expected = list(read(data, b",", b'"', limit))
    assert expanded(found, form) == [
        (row, record.content if record.cells is not None else None)
        for row, record in enumerate(expected, 1)
    ]
    starts = {(record.start, row, record.line) for row, record in enumerate(expected, 1)}
    for window in found:
        assert (window.at.offset, window.at.row, window.at.line) in starts
    if found:
        assert found[-1].after.offset == len(data)
        assert found[-1].after.row == len(expected) + 1


@settings(deadline=None)
@given(data=TEXTS, sizes=st.lists(st.integers(0, 20)), limit=LIMITS)
def test_without_quotes_a_record_is_a_line(data: bytes, sizes: list[int], limit: int) -> None:
    form = Lines(limit)
    found = list(windows(divided(data, sizes), form))
    expected = read(data, b",", None, limit)
    assert expanded(found, form) == [
        (row, record.content if record.cells is not None else None)
        for row, record in enumerate(expected, 1)
    ]


@settings(deadline=None)
@given(data=TEXTS, limit=LIMITS, least=st.integers(1, 60))
def test_a_stretch_read_alone_has_the_same_records(data: bytes, limit: int, least: int) -> None:
    form = QuotedRecords(b",", b'"', limit)
    whole = list(windows([data], form))
    parts: list[Window] = []
    end = Place()
    for first, last in stretches(whole, least):
        assert first == end
        end = last
        parts += windows([data[first.offset : last.offset]], form, first)
        assert parts[-1].after == last
    assert expanded(parts, form) == expanded(whole, form)


def test_a_line_without_end_is_not_kept_in_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield b"a\n" + b"x" * 50
        for _ in range(1000):
            yield b"x" * 100
        yield b"\nlast"

    found = list(windows(endless(), Lines(60)))
    records = expanded(found, Lines(60))
    assert records == [(1, b"a"), (2, None), (3, b"last")]
    (broken,) = (one for window in found for one in window.records if isinstance(one, Broken))
    assert broken.content == b"x" * 60
    assert broken.reason == "longer than 60 bytes"


def test_many_lines_behind_a_quote_that_is_never_closed_are_records() -> None:
    data = b'1,"open\n' + b"2,two\n" * 40
    found = expanded(list(windows([data], QuotedRecords(b",", b'"', 30))), Lines(30))
    assert found[0] == (1, None)
    assert found[1:] == [(row, b"2,two") for row in range(2, 42)]

"""Forms with files, read piece by piece: however they are cut, the same parts come out."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers
from werkzeug.sansio.multipart import Data, Epilogue, File, MultipartEncoder, Preamble

from app.problems import Problem
from app.uploads.multipart import (
    MAX_HEADER_BYTES,
    MAX_PARTS,
    Part,
    boundary_of,
    read_multipart,
)

BOUNDARY = b"-x-Boundary"
# what could be taken for a delimiter, or hides the beginning of one
CONTENTS = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"\r\n--", b"-x-", b"\r\n---x-", b"abc"])
    | st.binary(max_size=20)
).map(b"".join)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"\\%'), min_size=1)
PARTS = st.lists(st.tuples(NAMES, NAMES, CONTENTS), max_size=5)

Read = list[tuple[str, str | None, str | None, bytes]]


def written(parts: list[tuple[str, str, bytes]]) -> bytes:
    """Return the form as werkzeug writes it."""
    encoder = MultipartEncoder(BOUNDARY)
    text = encoder.send_event(Preamble(b""))
    for name, filename, content in parts:
        headers = Headers([("Content-Type", "text/x-test")])
        text += encoder.send_event(File(name=name, filename=filename, headers=headers))
        text += encoder.send_event(Data(b"", True)) + b"\r\n" if not content else b""
        text += encoder.send_event(Data(content, False))
    return text + encoder.send_event(Epilogue(b""))


def cut(text: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Yield the text in pieces of these sizes, over and over."""
    position = 0
    while position < len(text):
        for size in sizes:
            yield text[position : position + size]
            position += size


def read(parts: Iterator[Part]) -> Read:
    return [(part.name, part.filename, part.content_type, b"".join(part.pieces)) for part in parts]


@given(PARTS, st.lists(st.integers(1, 40), min_size=1))
def test_any_form_is_read_as_it_was_written_however_it_is_cut(
    parts: list[tuple[str, str, bytes]], sizes: list[int]
) -> None:
    parts = [part for part in parts if b"\r\n--" + BOUNDARY not in b"\r\n" + part[2]]
    expected = [(name, filename, "text/x-test", content) for name, filename, content in parts]
    assert read(read_multipart(cut(written(parts), sizes), BOUNDARY)) == expected


@given(st.lists(st.integers(1, 40), min_size=1))
def test_preamble_padding_and_epilogue_are_nobodys(sizes: list[int]) -> None:
    text = (
        b"before\r\n--b \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b\r\n"
        b'content-disposition: form-data;\r\n name="b";\r\n\tfilename="x\xc3\xa4.csv"\r\n'
        b"Content-Type: text/csv\r\n\r\n\r\n--b--\r\nafter\r\n--b\r\n"
    )
    expected = [("a", None, None, b"1"), ("b", "xä.csv", "text/csv", b"")]
    assert read(read_multipart(cut(text, sizes), b"b")) == expected


def test_what_is_not_taken_of_a_part_is_passed_over() -> None:
    text = written([("a", "f", b"x" * 1000), ("b", "g", b"y" * 1000)])
    names = [part.name for part in read_multipart(cut(text, [7]), BOUNDARY)]
    assert names == ["a", "b"]


def test_no_more_is_kept_than_a_piece_and_a_boundary() -> None:
    piece = b"\r\n--" + b"y" * 65_536
    head = b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n'
    parts = read_multipart(iter([head, *[piece] * 100, b"\r\n--b--"]), b"b")
    sizes = [len(taken) for taken in next(parts).pieces]
    assert sum(sizes) == 100 * len(piece)
    assert max(sizes) <= len(piece) + len(b"\r\n--b")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "ends before its last boundary"),
        (b"no form at all", "ends before its last boundary"),
        (b"--b", "ends before its last boundary"),
        (b"--b\r\n", "ends before its last boundary"),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nabc", "ends before its last"),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nabc\r\n--b-", "ends before its"),
        (b"--bc\r\n", "line that begins with the boundary"),
        (b"--b\r\n\r\n\r\n--b--", "without a colon"),
        (b"--b\r\nContent-Type: a/b\r\n\r\n1\r\n--b--", "no Content-Disposition"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--", "no Content-Disposition"),
        (b"--b\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--b--", "no Content-Disp"),
        (b"--b\r\nX: \xff\r\n\r\n1\r\n--b--", "not UTF-8"),
        (b"--b\r\nX: " + b"y" * MAX_HEADER_BYTES + b"\r\n\r\n1\r\n--b--", "head has more than"),
        (b"--b" + b" " * 300 + b"\r\n", "line of a boundary has more than"),
        (
            b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n" * (MAX_PARTS + 1)
            + b"--b--",
            f"more than {MAX_PARTS} parts",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_no_form_is_refused_with_the_reason(text: bytes, reason: str, size: int) -> None:
    with pytest.raises(Problem, match=reason):
        read(read_multipart(cut(text, [size]), b"b"))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; charset=utf-8; boundary="a b:c"', b"a b:c"),
        ("Multipart/Form-Data; BOUNDARY=----WebKitFormBoundary7", b"----WebKitFormBoundary7"),
    ],
)
def test_the_boundary_is_found(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", 'multipart/form-data; boundary=""', f"a/b; boundary={'x' * 71}"],
)
def test_a_form_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(Problem, match="names no boundary"):
        boundary_of(content_type)

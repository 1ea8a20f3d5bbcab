"""Responses are framed by what was said, and never by what comes after them."""

import pytest

from lb.wire.response import BadResponse, begin_answer
from lb.wire.response_reader import ResponseReader


def read(raw: bytes, *, to_head: bool = False) -> ResponseReader:
    reader = ResponseReader(max_head=1000)
    reader.expect(to_head=to_head)
    for i in range(len(raw)):
        reader.feed(raw[i : i + 1])
    return reader


@pytest.mark.parametrize(
    ("raw", "framing", "complete", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "length", True, b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
         "chunked", True, b"a"),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", "close", False, b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "none", True, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "none", True, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
         "length", True, b""),
    ],
)  # fmt: skip
def test_the_end_of_a_body_is_known(raw: bytes, framing: str, complete: bool, body: bytes) -> None:
    reader = read(raw)
    assert reader.head is not None
    assert (reader.head.framing, reader.complete) == (framing, complete)
    assert b"".join(reader.parts) == body


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000,
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ],
)
def test_a_response_of_uncertain_end_is_refused(raw: bytes) -> None:
    with pytest.raises(BadResponse):
        read(raw)


def test_bytes_after_a_response_spoil_the_connection_but_not_the_response() -> None:
    reader = ResponseReader(max_head=1000)
    reader.expect(to_head=False)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nX: evil")
    assert reader.complete
    assert reader.head is not None
    assert not reader.reusable


def test_an_answer_to_head_has_no_body_whatever_it_announces() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n", to_head=True)
    assert reader.complete
    reader.expect(to_head=False)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb")
    assert reader.complete
    assert reader.parts == [b"b"]


def test_fields_of_the_backends_connection_are_not_passed_on() -> None:
    head = read(
        b"HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: a\r\n"
        b"X-Request-ID: theirs\r\nContent-Length: 0\r\nVia: v\r\n\r\n"
    ).head
    assert head is not None
    assert not head.keep_alive
    assert head.start == b"HTTP/1.1 200 OK\r\nVia: v\r\n"


def test_a_body_that_ends_by_closing_goes_in_chunks_except_to_http_1_0() -> None:
    head = read(b"HTTP/1.1 200 OK\r\n\r\n").head
    assert head is not None
    _, chunked, close = begin_answer(head, b"id", b"", http_1_0=False, close=False)
    assert (chunked, close) == (True, False)
    begun, chunked, close = begin_answer(head, b"id", b"", http_1_0=True, close=False)
    assert (chunked, close) == (False, True)
    assert begun == b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Request-ID: id\r\n\r\n"


def test_a_response_in_one_piece_reads_like_one_in_many() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nVia: v\r\n\r\nabc"
    reader = ResponseReader(max_head=1000)
    reader.expect(to_head=False)
    reader.feed(raw)
    slowly = read(raw)
    assert reader.head == slowly.head
    assert (reader.complete, reader.reusable) == (slowly.complete, slowly.reusable) == (True, True)
    assert reader.parts == [b"abc"]

"""Requests are refused or written canonically, however their bytes are split."""

from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.wire.request import Request
from lb.wire.request_reader import RequestReader

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


def read(*pieces: bytes, max_body: int = 1000) -> RequestReader:
    reader = RequestReader(max_line=100, max_head=1000, max_body=max_body)
    for piece in pieces:
        reader.feed(piece)
    return reader


def forwarded(request: Request) -> bytes:
    head = request.serialise(b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: ", b"id")
    return head + request.take()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
        (HEAD + b"Content-Length: 1, 1\r\n\r\na", 400),
        (HEAD + b"Content-Length: +1\r\n\r\na", 400),
        (HEAD + b"Content-Length: -1\r\n\r\na", 400),
        (HEAD + b"Content-Length: 0x1\r\n\r\na", 400),
        (HEAD + b"Content-Length: \r\n\r\n", 400),
        (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1001\r\n\r\n", 413),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: \r\n\r\n", 400),
        (HEAD + b"Host: a\r\n\r\n", 400),
        (HEAD + b"X : 1\r\n\r\n", 400),
        (HEAD + b"X(: 1\r\n\r\n", 400),
        (HEAD + b": 1\r\n\r\n", 400),
        (HEAD + b"X: 1\r\n 2\r\n\r\n", 400),
        (HEAD + b"X: 1\n\r\n", 400),
        (HEAD + b"X: 1\r2\r\n\r\n", 400),
        (HEAD + b"X: \x00\r\n\r\n", 400),
        (HEAD + b"X: \x7f\r\n\r\n", 400),
        (HEAD + b"Expect: tea\r\n\r\n", 417),
        (HEAD + b"X: " + b"a" * 1000 + b"\r\n\r\n", 431),
        (HEAD + b"X: " + b"a" * 1000, 431),
        (HEAD + b"X: a\r\n" * 200, 431),
        (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /" + b"a" * 100, 414),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"GET / RTSP/1.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 505),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"MAKE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET foo HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na", 501),
        (HEAD + b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n", 501),
        (HEAD + b"X: 1\r\r\n\r\n", 400),
        (HEAD + b"\tX: 1\r\n\r\n", 400),
        (HEAD + b"X\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
        (HEAD + b"Content-Length: 1_0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked;q=1\r\n\r\n", 501),
        (HEAD + b'Transfer-Encoding: chunked\r\n\r\n1;a="\r\na\r\n', 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1; a\r\na\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;\x01\r\na\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"a" * 1001, 413),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(raw: bytes, status: int) -> None:
    for pieces in ([raw], [raw[i : i + 1] for i in range(len(raw))]):
        reader = read(*pieces)
        assert reader.refusal is not None
        assert reader.refusal.status == status
        assert not any(request.complete for request in reader.requests)


@pytest.mark.parametrize("tail", [b"1;" + b"a" * 1100, b"0\r\n" + b"T: a\r\n" * 200])
def test_extensions_and_trailers_are_no_way_around_the_limits(tail: bytes) -> None:
    reader = read(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", tail)
    assert reader.refusal is not None
    assert reader.refusal.status == 400


def test_small_extensions_count_together() -> None:
    reader = read(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1;abc=def\r\na\r\n"] * 130)
    assert reader.refusal is not None
    assert "extensions" in reader.refusal.detail


def test_an_offer_of_another_protocol_without_connection_upgrade_is_ignored() -> None:
    reader = read(HEAD + b"Upgrade: websocket\r\n\r\n")
    assert reader.refusal is None
    assert b"pgrade" not in forwarded(reader.requests[0])


def test_an_empty_line_before_a_request_is_passed_over() -> None:
    reader = read(HEAD + b"\r\n", b"\r\n" + HEAD + b"\r\n", b"\r")
    assert len(reader.requests) == 2
    assert not reader.is_between_requests
    reader.feed(b"\n")
    assert reader.is_between_requests


def test_equal_heads_share_what_was_read_of_them_but_not_their_bodies() -> None:
    raw = HEAD + b"Content-Length: 1\r\n\r\n"
    first, second = read(raw + b"a").requests[0], read(raw).requests[0]
    assert first.head is second.head
    assert (first.complete, second.complete, second.parts) == (True, False, [])


@pytest.mark.parametrize(
    "data", [HEAD, HEAD + b"Connection: close\r\n\r\n", HEAD + b"\r\nGET", HEAD + b"X : 1\r\n\r\n",
             HEAD + b"Content-Length: 1\r\n\r\n"]
)  # fmt: skip
def test_the_short_way_is_only_for_one_whole_request_that_others_may_follow(data: bytes) -> None:
    reader = read()
    assert reader.whole(data) is None
    whole = reader.whole(HEAD + b"\r\n")
    assert whole is not None
    assert forwarded(whole) == forwarded(read(HEAD + b"\r\n").requests[0])
    reader.feed(HEAD)
    assert reader.whole(HEAD + b"\r\n") is None


def test_hop_by_hop_fields_and_claims_are_not_passed_on() -> None:
    reader = read(
        HEAD + b"Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\n"
        b"Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nX-Forwarded-For: 6.6.6.6\r\n"
        b"X_Real_IP: 6.6.6.6\r\n"
        b"X-Millrace-Timeout-S: 9e9\r\nX-Millrace-Repeated: 1\r\nForwarded: for=6.6.6.6\r\n"
        b"Proxy-Authorization: a\r\nX-Request-ID: x\r\nAccept: b \r\n\r\n"
    )
    assert reader.refusal is None
    assert forwarded(reader.requests[0]) == (
        b"GET / HTTP/1.1\r\nHost: a\r\nAccept: b\r\n"
        b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: a\r\nX-Request-ID: id\r\n\r\n"
    )


def test_an_absolute_target_is_passed_on_as_a_path() -> None:
    request = read(b"GET http://A?q=1 HTTP/1.1\r\nHost: a\r\n\r\n").requests[0]
    assert request.head.target == b"/?q=1"
    assert request.head.start == b"GET /?q=1 HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("given_id", "taken"),
    [(b"abc.DEF_1-2", b"abc.DEF_1-2"), (b"a b", None), (b"", None), (b"a" * 129, None)],
)
def test_a_request_id_is_taken_only_when_it_is_valid(given_id: bytes, taken: bytes | None) -> None:
    request = read(HEAD + b"X-Request-ID: " + given_id + b"\r\n\r\n").requests[0]
    assert request.head.request_id == taken


def test_an_offer_to_upgrade_is_ignored_and_the_next_request_is_read() -> None:
    offer = b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    reader = read(HEAD + offer + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [request.head.target for request in reader.requests] == [b"/", b"/2"]
    assert reader.refusal is None


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", True),
    ],
)
def test_the_connection_is_kept_as_the_client_asks(head: bytes, keep_alive: bool) -> None:
    assert read(head).requests[0].head.keep_alive is keep_alive


def test_what_follows_a_last_request_is_ignored() -> None:
    reader = read(HEAD + b"Connection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", b"rubbish")
    assert len(reader.requests) == 1
    assert reader.refusal is None


token = st.text("abcdefXYZ-019", min_size=1, max_size=8).map(lambda name: f"Z-{name}".encode())
value = st.text("abc XYZ;=\"'\xe9", max_size=12).map(lambda text: text.strip().encode("latin-1"))


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes], list[int]]:
    """One or two requests as h11 writes them, their bodies, and where to cut the bytes."""
    raw = b""
    bodies = []
    connection = h11.Connection(h11.CLIENT)
    for _ in range(draw(st.integers(1, 2))):
        body = draw(st.binary(max_size=40))
        fields = [(b"Host", b"a.b:80"), *draw(st.lists(st.tuples(token, value), max_size=3))]
        chunked = draw(st.booleans())
        fields.append(
            (b"Transfer-Encoding", b"chunked")
            if chunked
            else (b"Content-Length", str(len(body)).encode())
        )
        connection = h11.Connection(h11.CLIENT)
        raw += connection.send(h11.Request(method="POST", target="/x", headers=fields)) or b""
        cut = draw(st.integers(0, len(body)))
        for part in (body[:cut], body[cut:]):
            raw += connection.send(h11.Data(data=part)) or b""
        raw += connection.send(h11.EndOfMessage()) or b""
        bodies.append(body)
    cuts = draw(st.lists(st.integers(0, len(raw)), max_size=6).map(sorted))
    return raw, bodies, cuts


@given(streams())
@settings(max_examples=60)
def test_any_split_of_valid_bytes_gives_the_same_requests_and_h11_agrees(
    stream: tuple[bytes, list[bytes], list[int]],
) -> None:
    raw, bodies, cuts = stream
    edges = [0, *cuts, len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(edges)]
    reader = read(*pieces)
    assert reader.refusal is None
    assert [b"".join(request.parts) for request in reader.requests] == bodies
    whole = read(raw)
    for request, other in zip(reader.requests, whole.requests, strict=True):
        assert request.complete
        sent = forwarded(request)
        assert sent == forwarded(other)
        oracle = h11.Connection(h11.SERVER)
        oracle.receive_data(sent)
        seen = oracle.next_event()
        assert isinstance(seen, h11.Request)
        assert dict(seen.headers)[b"x-request-id"] == b"id"
        received = b""
        while isinstance(event := oracle.next_event(), h11.Data):
            received += bytes(event.data)
        assert isinstance(event, h11.EndOfMessage)
        assert received in bodies


def test_a_request_split_at_every_byte_reads_the_same() -> None:
    raw = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n"
    for cut in range(len(raw) + 1):
        reader = read(raw[:cut], raw[cut:])
        (request,) = reader.requests
        assert request.complete
        assert b"".join(request.parts) == b"abcde"

"""Requests and answers pass whole, in order, and in bounded memory."""

import socket
import threading

import pytest

from tests.integration.lb.conftest import OK, Running, until, whole_request_then


def test_a_request_reaches_the_backend_canonically_and_the_connection_is_kept(
    running: Running,
) -> None:
    running.start()
    with running.connect() as client:
        for _ in range(2):
            status, fields, body = client.request(
                "/v1/query", "POST", b"{}", "x-request-id: mine\r\nConnection: X-A\r\nX-A: 1\r\n"
            )
            assert (status, body) == (200, b"ok")
            assert fields[b"x-request-id"] == b"mine"
    expected = (
        b"POST /v1/query HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 127.0.0.1\r\n"
        b"X-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\nX-Request-ID: mine\r\n"
        b"X-Millrace-Timeout-S: 120.000\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert [bytes(data) for data in running.backends[0].received] == [expected * 2]


def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    running.start(2)
    for backend in running.backends:
        backend.answer = lambda _, data: OK[:-2] + data.split()[1][1:]
    with running.connect() as client:
        client.send(b"".join(b"GET /%02d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(50)))
        assert [client.response()[2] for _ in range(50)] == [b"%02d" % i for i in range(50)]


def test_a_bad_request_behind_good_ones_is_refused_after_their_answers(running: Running) -> None:
    running.start()
    with running.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        assert client.response()[0] == 200
        status, fields, body = client.response()
        assert status == 400
        assert fields[b"content-type"] == b"application/problem+json"
        assert fields[b"connection"] == b"close"
        assert fields[b"x-request-id"]
        assert b"Host is missing" in body
        assert client.rest() == b""


@pytest.mark.parametrize("chunked", [False, True])
def test_bytes_that_come_one_by_one_make_the_same_request(running: Running, chunked: bool) -> None:
    running.start()
    framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 3"
    body = b"1\r\na\r\n2;x\r\nbc\r\n0\r\nT: 1\r\n\r\n" if chunked else b"abc"
    with running.connect() as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw = f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode() + body
        for i in range(len(raw)):
            client.send(raw[i : i + 1])
        assert client.response()[0] == 200
    tail = b"3\r\nabc\r\n0\r\n\r\n" if chunked else b"abc"
    assert running.backends[0].received[0].endswith(f"{framing}\r\n\r\n".encode() + tail)


@pytest.mark.parametrize(
    ("reply", "close_after", "method", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", False, "GET", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
         False, "GET", b"abc"),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", True, "GET", b"abc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", False, "HEAD", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, "GET", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", False, "GET", b""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
         False, "GET", b"a"),
    ],
)  # fmt: skip
def test_answers_of_every_framing_pass_and_the_client_is_kept(
    running: Running, reply: bytes, close_after: bool, method: str, body: bytes
) -> None:
    running.start()
    running.backends[0].answer = whole_request_then(reply)
    running.backends[0].close_after = close_after
    with running.connect() as client:
        for _ in range(3):
            status, _, received = client.request("/", method)
            if status == 103:
                status, _, received = client.response()
            assert status == int(reply.split(b"HTTP/1.1 ")[-1][:3])
            assert received == body


def test_http_1_0_gets_no_chunks(running: Running) -> None:
    running.start()
    running.backends[0].answer = whole_request_then(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    )
    with running.connect() as client:
        client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        status, fields, body = client.response()
        assert (status, body, fields[b"connection"]) == (200, b"a", b"close")


def test_an_answer_that_breaks_off_is_not_passed_for_whole(running: Running) -> None:
    running.start()
    backend = running.backends[0]
    backend.answer = whole_request_then(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    )
    backend.close_after = True
    with running.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        received = client.rest()
        assert b"200 OK" in received
        assert not received.endswith(b"0\r\n\r\n")


def test_an_announced_body_over_the_limit_is_refused_before_a_byte_is_forwarded(
    running: Running,
) -> None:
    running.start(max_body_bytes=1000)
    with running.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
        client.send(b"a" * 500_000)
        status, _, body = client.response()
        assert status == 413
        assert b"1000 bytes" in body
        assert client.rest() == b""
    assert running.backends[0].received == []


def test_a_chunked_body_over_the_limit_is_cut_off(running: Running) -> None:
    running.start(max_body_bytes=100_000)
    with running.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(11):
            client.send(b"2710\r\n" + b"a" * 10_000 + b"\r\n")
        assert client.response()[0] == 413
    backend = running.backends[0]
    until(lambda: backend.closed == len(backend.received), "the backend's connection is closed")


def test_a_client_that_waits_for_100_continue_gets_it(running: Running) -> None:
    running.start()
    with running.connect() as client:
        client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert client.response()[0] == 100
        client.send("ab")
        assert client.response()[0] == 200
    assert b"Expect" not in running.backends[0].received[0]


SIZE = 50 * 1024 * 1024


def _buffered(running: Running) -> int:
    """Bytes that the balancer holds for its clients and backends now."""
    assert running.balancer is not None

    async def measure() -> int:
        assert running.balancer is not None
        total = 0
        for client in running.balancer.proxy.clients:
            transport, exchange = client._transport, client._exchange  # type: ignore[attr-defined]
            total += transport.get_write_buffer_size() + len(client._stash)  # type: ignore[attr-defined]
            if exchange is not None and exchange._connection is not None:
                total += exchange._connection._transport.get_write_buffer_size()
                total += sum(map(len, exchange.request.parts))
        return total

    held: int = running.do(measure())
    return held


def test_a_large_answer_waits_for_a_slow_client_in_bounded_memory(running: Running) -> None:
    running.start()
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + bytes(SIZE)
    running.backends[0].answer = whole_request_then(reply)
    with running.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.line(b"\r\n\r\n")
        most, left = 0, SIZE
        while left:
            for _ in range(min(20, -(-left // 65536))):
                left -= len(client.take(min(left, 65536)))
            most = max(most, _buffered(running))
        assert most < 2_000_000
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.line() == b"HTTP/1.1 200 OK"


def test_a_large_body_waits_for_a_slow_backend_in_bounded_memory(running: Running) -> None:
    running.start(max_body_bytes=SIZE)
    count = 0

    def answer(_: int, data: bytes) -> bytes:
        nonlocal count
        received = running.backends[0].received[0]
        if not count:
            count -= received.index(b"\r\n\r\n") + 4
        count += len(received)
        received.clear()
        return OK if count == SIZE else b""

    running.backends[0].answer = answer
    most = 0
    with running.connect() as client:

        def send() -> None:
            client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")
            client.send(bytes(SIZE))

        sender = threading.Thread(target=send)
        sender.start()
        while sender.is_alive():
            most = max(most, _buffered(running))
            sender.join(0.002)
        assert client.response()[0] == 200
    assert count == SIZE
    assert 0 < most < 2_000_000

"""What comes behind a body in chunks, and how a client learns that its end is missing."""

import subprocess

import pytest

from tests.integration.lb.conftest import Running, whole_request_then

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Rows, X-Whole\r\n\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def answer_to(running: Running, reply: bytes, request: bytes = REQUEST) -> bytes:
    running.backends[0].answer = whole_request_then(reply)
    with running.connect() as client:
        client.send(request)
        return client.rest()


def test_trailers_of_an_answer_pass_with_their_announcement(running: Running) -> None:
    running.start()
    answer = answer_to(running, HEAD + b"3\r\nabc\r\n0\r\nX-Rows: 7\r\nX-Whole: true\r\n\r\n")
    assert b"\r\nTrailer: X-Rows, X-Whole\r\n" in answer
    assert answer.endswith(b"3\r\nabc\r\n0\r\nX-Rows: 7\r\nX-Whole: true\r\n\r\n")


def test_the_next_answer_on_the_connection_has_none(running: Running) -> None:
    running.start()
    backend = running.backends[0]
    with running.connect() as client:
        backend.answer = whole_request_then(HEAD + b"0\r\nX-Rows: 7\r\n\r\n")
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.line(b"0\r\nX-Rows: 7\r\n\r\n")
        backend.answer = whole_request_then(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        )
        client.send(REQUEST)
        assert client.rest().endswith(b"1\r\nx\r\n0\r\n\r\n")
    assert len(backend.received) == 1


@pytest.mark.parametrize("name", [b"Connection", b"X-Request-ID", b"Keep-Alive"])
def test_a_trailer_that_only_a_head_may_have_is_dropped(running: Running, name: bytes) -> None:
    running.start()
    answer = answer_to(running, HEAD + b"0\r\n" + name + b": x\r\nX-Rows: 7\r\n\r\n")
    assert answer.endswith(b"0\r\nX-Rows: 7\r\n\r\n")


def test_http_1_0_has_no_trailers(running: Running) -> None:
    running.start()
    answer = answer_to(
        running, HEAD + b"3\r\nabc\r\n0\r\nX-Rows: 7\r\n\r\n", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"
    )
    assert b"Trailer" not in answer
    assert answer.endswith(b"\r\n\r\nabc")


def test_a_broken_off_answer_arrives_as_far_as_it_goes_and_without_an_end(running: Running) -> None:
    running.start()
    backend = running.backends[0]
    backend.close_after = True
    body = b'{"error": "why"}\n'
    answer = answer_to(running, HEAD + b"%x\r\n%b\r\n" % (len(body), body))
    assert answer.endswith(b"%x\r\n%b\r\n" % (len(body), body))


def test_curl_says_that_a_broken_off_answer_is_partial(running: Running) -> None:
    running.start()
    backend = running.backends[0]
    backend.close_after = True
    backend.answer = whole_request_then(HEAD + b"3\r\nabc\r\n")
    host, port = running.address
    done = subprocess.run(
        ["curl", "-sS", f"http://{host}:{port}/"], capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (18, b"abc")

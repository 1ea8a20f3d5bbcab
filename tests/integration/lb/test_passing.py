"""What passes besides bodies: fields, protocol switches, time, and news of a client's departure."""

import json
import socket
import struct

import pytest

from tests.integration.lb.conftest import OK, Running, until, whole_request_then


def test_traceparent_is_passed_on_untouched(running: Running) -> None:
    running.start()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with running.connect() as client:
        assert client.request("/", fields=f"traceparent: {parent}\r\ntracestate: a=b\r\n")[0] == 200
    lines = bytes(running.backends[0].received[0]).split(b"\r\n")
    assert f"traceparent: {parent}".encode() in lines
    assert b"tracestate: a=b" in lines


def test_a_websocket_is_refused_clearly(running: Running) -> None:
    running.start()
    with running.connect() as client:
        status, fields, body = client.request(
            fields="Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        )
        assert (status, fields[b"connection"]) == (501, b"close")
        assert json.loads(body)["type"] == "/problems/upgrade-not-implemented"
    assert running.backends[0].received == []


def _budget(received: bytearray) -> float:
    (line,) = [x for x in bytes(received).split(b"\r\n") if x.startswith(b"X-Millrace-Timeout-S")]
    return float(line.split(b":")[1])


def test_a_replica_is_told_what_is_left_of_the_time(running: Running) -> None:
    running.start(2, strategy="round_robin", request_timeout_s=30, connect_timeout_s=5)
    for backend in running.backends:
        backend.answer = lambda number, data: None
    with running.connect() as client:
        client.send("POST /v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
        balancer = running.balancer
        assert balancer is not None
        swept = balancer.proxy.now
        until(lambda: balancer.proxy.now > swept + 0.2, "time passes")
        client.send("a")
        assert client.response()[0] == 502
    for backend in running.backends:
        for received in backend.received:
            assert 0 < _budget(received) < 30


def test_a_request_that_takes_too_long_in_all_becomes_504(running: Running) -> None:
    running.start(request_timeout_s=0.05)
    running.backends[0].answer = lambda number, data: b""
    with running.connect() as client:
        status, _, body = client.request()
        assert (status, json.loads(body)["type"]) == (504, "/problems/request-expired")


def test_an_answer_that_goes_on_beyond_the_time_is_cut_off(running: Running) -> None:
    running.start(request_timeout_s=0.05)
    running.backends[0].answer = whole_request_then(OK[:-1])
    with running.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.rest().endswith(b"o")


@pytest.mark.parametrize("reset", [False, True])
def test_a_departure_is_noticed_while_nothing_is_read_from_the_client(
    running: Running, reset: bool
) -> None:
    balancer = running.start()
    backend = running.backends[0]
    backend.answer = lambda number, data: b""
    client = running.connect()
    # More of next requests than is taken in while one is in flight: reading is paused.
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: backend.received, "the request is there")
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 4000)
    until(lambda: any(c.pauses for c in balancer.proxy.clients), "it is paused")  # type: ignore[attr-defined]
    if reset:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()
    until(lambda: backend.closed == 1, "the backend's connection is closed")
    until(lambda: not balancer.proxy.clients, "the client is forgotten")


def test_a_request_that_is_over_can_be_explained(running: Running) -> None:
    balancer = running.start(explain_requests=1)
    with running.connect() as client:
        client.request("/first", fields="X-Request-ID: first\r\n")
        client.request("/second?a", fields="X-Request-ID: second\r\n")
    records = balancer.proxy.records
    assert records.find(b"first") is None
    record = records.find(b"second")
    assert record is not None
    assert (record.status, record.sent, record.head.target) == (200, 2, b"/second?a")
    assert record.backend in record.candidates
    assert record.started <= record.answered <= record.ended

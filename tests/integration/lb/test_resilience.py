"""Backends that die, limits, drains, and clients that leave."""

import json
import threading
from itertools import count

import pytest

from tests.integration.lb.conftest import OK, RawBackend, Running, until, whole_request_then


def test_a_kept_connection_that_ends_without_an_answer_is_retried(running: Running) -> None:
    balancer = running.start(2, strategy="round_robin")
    for backend in running.backends:
        numbers = count()
        # the first request of each connection is answered, the second meets a closing
        backend.answer = lambda _, data, numbers=numbers: OK if next(numbers) != 1 else None  # type: ignore[misc]
    with running.connect() as client:
        for _ in range(8):
            assert client.request("/v1/query", "POST", b"{}")[0] == 200
    assert balancer.proxy.counters.retries["closed"] == 2


def test_a_replica_is_told_that_another_may_have_done_what_it_is_asked(running: Running) -> None:
    running.start(2)
    for backend in running.backends:
        backend.answer = lambda number, data: None
    with running.connect() as client:
        client.request("/v1/hash", "POST", b"{}")
    heads = [bytes(one) for backend in running.backends for one in backend.received]
    told = [b"\r\nX-Millrace-Repeated: 1\r\n" in head for head in heads]
    assert sorted(told) == [False, True, True]


def test_where_nothing_was_sent_before_nobody_is_told_of_a_repetition(running: Running) -> None:
    balancer = running.start(2, strategy="round_robin", check_interval_s=30)
    running.do(running.backends[0].stop())
    with running.connect() as client:
        for _ in range(4):
            assert client.request("/v1/hash", "POST", b"{}")[0] == 200
    assert balancer.proxy.counters.retries["connect"] >= 1
    assert all(b"Repeated" not in bytes(one) for one in running.backends[1].received)


def test_what_may_not_be_repeated_is_answered_with_502(running: Running) -> None:
    balancer = running.start(2)
    for backend in running.backends:
        backend.answer = lambda number, data: None
    with running.connect() as client:
        status, fields, body = client.request("/v1/jobs", "POST", b"{}")
        assert (status, json.loads(body)["type"]) == (502, "/problems/backend-failed")
        assert json.loads(body)["instance"].encode() == fields[b"x-request-id"]
    assert sum(len(backend.received) for backend in running.backends) == 1
    assert sum(balancer.proxy.counters.retries.values()) == 0


def test_a_request_is_retried_at_most_twice(running: Running) -> None:
    running.start(4, strategy="round_robin")
    for backend in running.backends:
        backend.answer = lambda number, data: None
    with running.connect() as client:
        assert client.request()[0] == 502
    assert sum(len(backend.received) for backend in running.backends) == 3


def test_a_dead_backend_costs_no_request_is_ejected_and_comes_back(running: Running) -> None:
    balancer = running.start(3)
    victim = running.backends[1]
    backend = balancer.proxy.backends.by_id[f"127.0.0.1:{victim.port}"]
    with running.connect() as client:
        for i in range(300):
            if i == 100:
                running.do(victim.stop())
            assert client.request("/v1/query", "POST", b"{}")[0] == 200
        until(lambda: backend.state == "ejected", "the dead one is ejected")
        assert backend.ejections == 1
        running.do(victim.start(victim.port))
        until(lambda: backend.state == "ready", "it is readmitted")
        before = len(victim.received)
        for _ in range(30):
            assert client.request()[0] == 200
        assert len(victim.received) > before


def test_all_requests_in_flight_at_a_dying_backend_are_retried(running: Running) -> None:
    running.start(2, strategy="round_robin")
    victim = running.backends[0]
    victim.answer = lambda number, data: b""
    clients = [running.connect() for _ in range(20)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: len(victim.received) == 10, "half of them wait there")
    running.do(victim.stop())
    assert [client.response()[0] for client in clients] == [200] * 20
    for client in clients:
        client.socket.close()


def test_failed_checks_eject_and_without_a_backend_the_answer_is_503(running: Running) -> None:
    balancer = running.start(2)
    for backend in running.backends:
        backend.ready = False
    until(lambda: not balancer.proxy.backends.ready, "both are ejected")
    with running.connect() as client:
        status, fields, body = client.request()
        assert (status, fields[b"retry-after"]) == (503, b"1")
        assert json.loads(body)["type"] == "/problems/no-backend"
        running.backends[0].ready = True
        until(lambda: balancer.proxy.backends.ready, "one is back")
        assert client.request()[0] == 200
    _, status_document = running.admin("GET", "/lb/status")
    assert [b["state"] for b in status_document["backends"]] == ["ready", "ejected"]
    assert "503" in status_document["backends"][1]["reason"]


@pytest.mark.parametrize(
    "reply", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
def test_an_answer_that_is_no_http_becomes_502(running: Running, reply: bytes) -> None:
    running.start()
    running.backends[0].answer = whole_request_then(reply)
    with running.connect() as client:
        assert client.request()[0] == 502


def test_a_silent_backend_becomes_504(running: Running) -> None:
    running.start(first_byte_timeout_s=0.05)
    running.backends[0].answer = lambda number, data: b""
    with running.connect() as client:
        assert client.request()[0] == 504
        until(lambda: running.backends[0].closed == 1, "the backend's connection is closed")


def test_slow_heads_and_bodies_become_408(running: Running) -> None:
    running.start(header_timeout_s=0.05, body_idle_timeout_s=0.05)
    for start in (
        "GET / HTTP/1.1\r\nHost",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
    ):
        with running.connect() as client:
            client.send(start)
            assert client.response()[0] == 408
            assert client.rest() == b""
    assert running.backends[0].received == []


def test_a_client_that_leaves_takes_its_backend_connection_along(running: Running) -> None:
    balancer = running.start()
    backend = running.backends[0]
    backend.answer = lambda number, data: b""
    client = running.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: backend.received, "the request is there")
    assert backend.closed == 0
    client.socket.close()
    until(lambda: backend.closed == 1, "the backend's connection is closed")
    until(lambda: balancer.proxy.counters.active == 0, "the request is over")


def test_exactly_the_limit_passes_and_the_rest_is_told_when_to_come_back(running: Running) -> None:
    running.start(rate_limit="100/minute")
    with running.connect() as client:
        answers = [client.request("/v1/query", "POST", b"{}") for _ in range(150)]
        assert [status for status, _, _ in answers] == [200] * 100 + [429] * 50
        assert answers[0][1][b"ratelimit-policy"] == b'"default";q=100;w=60'
        assert answers[0][1][b"ratelimit"].startswith(b'"default";r=99;t=')
        _, fields, body = answers[-1]
        assert 1 <= int(fields[b"retry-after"]) <= 60
        assert fields[b"ratelimit"].startswith(b'"default";r=0;t=')
        assert json.loads(body)["type"] == "/problems/rate-limited"
        assert client.request("/health/ready")[0] == 200


def test_a_thousand_pipelined_requests_over_the_limit_are_all_refused(running: Running) -> None:
    running.start(rate_limit="1/minute")
    with running.connect() as client:
        client.request("/v1/query")
        sender = threading.Thread(
            target=client.send, args=(b"GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n" * 1000,)
        )
        sender.start()
        assert [client.response()[0] for _ in range(1000)] == [429] * 1000
        sender.join()


def test_connections_beyond_the_cap_are_refused(running: Running) -> None:
    running.start(max_client_connections=1)
    with running.connect() as first, running.connect() as second:
        assert second.response()[0] == 503
        assert second.rest() == b""
        assert first.request()[0] == 200


def test_a_backend_at_its_cap_is_passed_over(running: Running) -> None:
    running.start(1, max_backend_connections=1, queue_length=0)
    running.backends[0].answer = lambda number, data: b""
    with running.connect() as first, running.connect() as second:
        first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: running.backends[0].received, "the first is there")
        assert second.request()[0] == 503


def test_a_drain_finishes_what_is_in_flight_and_closes_idle_connections(running: Running) -> None:
    balancer = running.start(drain_timeout_s=60.0)
    backend = running.backends[0]
    release = threading.Event()
    backend.answer = lambda number, data: OK if release.is_set() else b""
    busy, idle = running.connect(), running.connect()
    busy.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    busy.send(b"a" * 99_999)
    until(lambda: backend.received, "the request is there")
    until(lambda: len(balancer.proxy.clients) == 2, "both are connected")
    stopping = threading.Thread(target=running.stop_balancer)
    stopping.start()
    assert idle.rest() == b""
    release.set()
    busy.send(b"a")
    status, fields, _ = busy.response()
    assert (status, fields[b"connection"]) == (200, b"close")
    busy.socket.close()
    idle.socket.close()
    stopping.join()
    assert balancer.proxy.clients == set()


def test_a_drain_gives_up_after_its_timeout(running: Running) -> None:
    running.start(drain_timeout_s=0.05)
    running.backends[0].answer = lambda number, data: b""
    with running.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: running.backends[0].received, "the request is there")
        running.stop_balancer()
        assert client.rest() == b""


def test_a_name_is_resolved_and_its_addresses_are_backends(running: Running) -> None:
    backend = RawBackend()
    running.do(backend.start())
    running.backends.append(backend)
    balancer = running.start(0, backends=f"dns://localhost:{backend.port}")
    until(lambda: balancer.proxy.backends.ready, "the name's address is ready")
    with running.connect() as client:
        assert client.request()[0] == 200


def test_a_kept_connection_is_closed_before_the_backend_would(running: Running) -> None:
    balancer = running.start(backend_idle_timeout_s=0.05)
    with running.connect() as client:
        assert client.request()[0] == 200
    until(lambda: running.backends[0].closed == 1, "the idle connection is closed")
    (backend,) = balancer.proxy.backends.by_id.values()
    until(lambda: backend.connections == 0, "it is not counted any more")


def test_an_idle_client_is_closed(running: Running) -> None:
    running.start(client_idle_timeout_s=0.5)
    with running.connect() as client:
        assert client.request()[0] == 200
        assert client.rest() == b""

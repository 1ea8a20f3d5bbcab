"""Clients behind a proxy that passes TCP on and names them in a PROXY protocol header."""

import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lb.conftest import Connection, RawBackend, Running, until
from tests.integration.lb.running_program import ROOT, certificate, running_program, trusting

V1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 4096 443\r\n"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def v2(source: str, tlvs: bytes = b"", command: int = 0x21) -> bytes:
    address = ipaddress.ip_address(source)
    ends = address.packed * 2 + b"\x10\x00\x01\xbb" + tlvs
    family = 0x11 if address.version == 4 else 0x21
    return SIGNATURE + bytes([command, family]) + len(ends).to_bytes(2, "big") + ends


def start(running: Running, **settings: Any) -> None:
    running.start(**({"proxy_protocol": "require", "trusted_proxies": "127.0.0.0/8"} | settings))


def refused(running: Running, reason: str) -> int:
    assert running.balancer is not None
    return running.balancer.proxy.counters.proxy_protocol_refused[reason]


def told(running: Running, number: int = 0) -> bytes:
    """Return X-Forwarded-For as the backend's connection `number` saw it last."""
    received = bytes(running.backends[0].received[number])
    return received.rpartition(b"X-Forwarded-For: ")[2].partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (V1, b"192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 4096 443\r\n", b"2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", b"127.0.0.1"),
        (v2("192.0.2.7"), b"192.0.2.7"),
        (v2("2001:db8::7", b"\x04\x0b\xb8" + bytes(3000)), b"2001:db8::7"),
        (v2("::ffff:192.0.2.7"), b"192.0.2.7"),
        (v2("192.0.2.7", command=0x20), b"127.0.0.1"),
    ],
)
def test_replicas_are_told_the_clients_address(
    running: Running, header: bytes, client: bytes
) -> None:
    start(running)
    with running.connect() as whole, running.connect() as apart:
        whole.send(header + REQUEST)
        assert whole.response()[0] == 200
        assert told(running) == client
        assert whole.request("/again")[0] == 200
        assert told(running) == client
        apart.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in header[:200] if len(header) > 300 else header:
            apart.send(bytes([byte]))
        apart.send(header[200:] if len(header) > 300 else b"")
        for byte in REQUEST:
            apart.send(bytes([byte]))
        assert apart.response()[0] == 200
        assert told(running) == client


def test_what_the_client_claims_is_replaced(running: Running) -> None:
    start(running)
    with running.connect() as connection:
        connection.send(V1)
        assert connection.request(fields="X-Forwarded-For: 203.0.113.1\r\n")[0] == 200
        assert told(running) == b"192.0.2.7"


def test_a_second_header_is_no_request(running: Running) -> None:
    start(running)
    with running.connect() as connection:
        connection.send(V1 + V1 + REQUEST)
        assert connection.response()[0] == 400
    assert running.backends[0].received == []


@pytest.mark.parametrize("in_bytes", [False, True])
@pytest.mark.parametrize("header", [V1, v2("192.0.2.7", b"\x04\x00\x02ab")])
def test_tls_begins_behind_the_header(
    running: Running, tmp_path: Path, header: bytes, in_bytes: bool
) -> None:
    made, key = certificate(tmp_path, "one.example")
    start(running, tls_certificate=str(made), tls_key=str(key))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = trusting(made).wrap_bio(incoming, outgoing, server_hostname="one.example")
    with running.connect() as connection:
        sock = connection.socket
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with pytest.raises(ssl.SSLWantReadError):
            secured.do_handshake()
        first = header + outgoing.read()  # in one write, so that too much could be read
        for piece in [bytes([byte]) for byte in first] if in_bytes else [first]:
            sock.sendall(piece)
        while True:
            try:
                secured.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        secured.write(REQUEST)
        sock.sendall(outgoing.read())
        answer = b""
        while not answer.endswith(b"ok"):
            try:
                answer += secured.read(65536)
            except ssl.SSLWantReadError:
                incoming.write(sock.recv(65536))
        assert answer.startswith(b"HTTP/1.1 200 ")
    assert told(running) == b"192.0.2.7"
    assert b"\r\nX-Forwarded-Proto: https\r\n" in running.backends[0].received[0]


def test_a_peer_that_is_no_trusted_proxy_is_closed(running: Running) -> None:
    start(running, trusted_proxies="10.0.0.0/8, 192.0.2.7")
    with running.connect() as connection:
        assert connection.rest() == b""
    until(lambda: refused(running, "untrusted") == 1, "it is counted")
    status, metrics = running.admin("GET", "/metrics")
    assert status == 200
    assert b'millrace_lb_proxy_protocol_refused_total{reason="untrusted"} 1.0' in metrics
    assert b'millrace_lb_proxy_protocol_refused_total{reason="late"} 0.0' in metrics


@pytest.mark.parametrize(
    "raw", [REQUEST, b"\x16\x03\x01\x02\x00", V1.replace(b"TCP4", b"TCP6"), SIGNATURE + b"\x11"]
)
def test_a_connection_without_a_right_header_is_closed(running: Running, raw: bytes) -> None:
    start(running)
    with running.connect() as connection:
        connection.send(raw)
        assert connection.rest() == b""
    until(lambda: refused(running, "malformed") == 1, "it is counted")
    assert running.backends[0].received == []


@pytest.mark.parametrize("beginning", [b"", V1[:-1], v2("192.0.2.7")[:-1]])
def test_a_header_that_takes_too_long_ends_the_connection(
    running: Running, beginning: bytes
) -> None:
    start(running, header_timeout_s=0.2)
    with running.connect() as connection:
        connection.send(beginning)
        assert connection.rest() == b""
    until(lambda: refused(running, "late") == 1, "it is counted")


@pytest.mark.parametrize("beginning", [b"", V1[:10]])
def test_a_proxy_that_leaves_before_its_header_is_forgotten(
    running: Running, beginning: bytes
) -> None:
    start(running)
    assert running.balancer is not None
    clients = running.balancer.proxy.clients
    with running.connect() as connection:
        connection.send(beginning)
        until(lambda: len(clients) == 1, "it is counted as a connection")
    until(lambda: not clients, "it is forgotten")
    assert sum(refused(running, reason) for reason in ("untrusted", "malformed", "late")) == 0


def test_limits_count_by_the_clients_address(running: Running) -> None:
    start(running, rate_limit="2/minute")

    def ask(header: bytes) -> int:
        with running.connect() as connection:
            connection.send(header)
            return connection.request("/v1/status")[0]

    assert [ask(V1) for _ in range(3)] == [200, 200, 429]
    assert ask(v2("192.0.2.7")) == 429
    assert [ask(v2("192.0.2.8")) for _ in range(3)] == [200, 200, 429]
    assert ask(b"PROXY UNKNOWN\r\n") == 200


def test_connections_beyond_the_limit_are_told_so(running: Running) -> None:
    start(running, max_client_connections=1)
    assert running.balancer is not None
    with running.connect() as first:
        first.send(V1)
        assert first.request()[0] == 200
        with running.connect() as second:
            second.send(V1)
            assert second.response()[0] == 503
            with running.connect() as third:  # the first, and the second that lingers, are two
                assert third.rest() == b""
    assert running.balancer.proxy.counters.connections_refused == 2


def test_a_drain_accepts_no_more_and_serves_who_is_there(running: Running) -> None:
    start(running, drain_idle_s=60.0, drain_timeout_s=60.0)
    assert running.balancer is not None
    proxy = running.balancer.proxy
    with running.connect() as connection:
        connection.send(V1[:10])
        until(lambda: len(proxy.clients) == 1, "it is accepted")
        ending = threading.Thread(target=running.stop_balancer)
        ending.start()
        until(lambda: proxy.draining, "it drains")
        with pytest.raises(ConnectionRefusedError):
            Connection(running.address)
        connection.send(V1[10:])
        status, fields, _ = connection.request()
        assert (status, fields[b"connection"]) == (200, b"close")
        assert connection.rest() == b""
    ending.join(60)
    assert not ending.is_alive()


def test_require_without_trusted_proxies_is_refused_at_the_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "lb"], cwd=ROOT, text=True, capture_output=True, timeout=60,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")}
        | {"MILLRACE_LB_BACKENDS": "127.0.0.1:1", "MILLRACE_LB_PROXY_PROTOCOL": "require"},
    )  # fmt: skip
    assert ended.returncode == 2
    assert "MILLRACE_LB_TRUSTED_PROXIES" in ended.stderr


def test_several_processes_and_a_reload_take_headers(running: Running) -> None:
    backend = RawBackend()
    running.do(backend.start())
    running.backends.append(backend)
    with running_program(
        "--processes", "2",
        MILLRACE_LB_BACKENDS=f"127.0.0.1:{backend.port}",
        MILLRACE_LB_PROXY_PROTOCOL="require", MILLRACE_LB_TRUSTED_PROXIES="127.0.0.1",
        MILLRACE_LOG_LEVEL="debug",
    ) as program:  # fmt: skip
        for _ in range(2):
            for _ in range(8):
                with Connection(program.address) as connection:
                    connection.send(V1)
                    assert connection.request()[0] == 200
            with Connection(program.address) as connection:
                connection.send(REQUEST)
                assert connection.rest() == b""
            program.reload()
        until(lambda: len(program.said("PROXY protocol refused")) == 2, "it is logged")
        assert program.said("PROXY protocol refused")[0]["reason"] == "malformed"

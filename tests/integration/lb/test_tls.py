"""TLS towards clients."""

import http.client
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.integration.lb.conftest import RawBackend, Running, until
from tests.integration.lb.running_program import certificate, running_program, trusting


@pytest.fixture
def backend(running: Running) -> RawBackend:
    made = RawBackend()
    running.do(made.start())
    running.backends.append(made)
    return made


def subject(address: tuple[str, int], context: ssl.SSLContext, name: str) -> object:
    with (
        socket.create_connection(address, timeout=60) as sock,
        context.wrap_socket(sock, server_hostname=name) as secured,
    ):
        found = secured.getpeercert()
        assert found is not None
        return found["subject"]


def test_clients_are_served_by_tls_and_replicas_are_told(
    backend: RawBackend, tmp_path: Path
) -> None:
    made, key = certificate(tmp_path, "one.example")
    with running_program(
        MILLRACE_LB_BACKENDS=f"127.0.0.1:{backend.port}",
        MILLRACE_LB_TLS_CERTIFICATE=str(made), MILLRACE_LB_TLS_KEY=str(key),
    ) as program:  # fmt: skip
        with socket.create_connection(program.address, timeout=60) as sock:
            secured = trusting(made).wrap_socket(sock, server_hostname="one.example")
            with secured:
                assert secured.version() == "TLSv1.3"
                assert secured.selected_alpn_protocol() == "http/1.1"
                secured.sendall(b"GET / HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n\r\n")
                answer = http.client.HTTPResponse(secured)
                answer.begin()
                assert (answer.status, answer.read()) == (200, b"ok")
                assert secured.recv(100) == b""  # closed in order, not cut off
        assert b"\r\nX-Forwarded-Proto: https\r\n" in backend.received[0]


def test_when_the_served_certificate_expires_is_told(tmp_path: Path) -> None:
    made, key = certificate(tmp_path, "one.example")  # for two days
    with running_program(
        MILLRACE_LB_BACKENDS="127.0.0.1:1",
        MILLRACE_LB_TLS_CERTIFICATE=str(made), MILLRACE_LB_TLS_KEY=str(key),
    ) as program:  # fmt: skip
        expires_at = program.admin("GET", "/lb/status")[1]["certificate_expires_at"]
    assert 2 * 86400 - 300 < expires_at - time.time() <= 2 * 86400


def test_what_is_not_tls_or_an_old_one_is_refused(backend: RawBackend, tmp_path: Path) -> None:
    made, key = certificate(tmp_path, "one.example")
    with running_program(
        MILLRACE_LB_BACKENDS=f"127.0.0.1:{backend.port}",
        MILLRACE_LB_TLS_CERTIFICATE=str(made), MILLRACE_LB_TLS_KEY=str(key),
    ) as program:  # fmt: skip
        weak = trusting(made)
        weak.set_ciphers("ECDHE+AES:@SECLEVEL=0")
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        assert subject(program.address, weak, "one.example")
        weak.set_ciphers("ECDHE+AES256+SHA384:!AESGCM:@SECLEVEL=0")  # CBC
        with pytest.raises(OSError, match=r"(?i)handshake|reset|eof"):
            subject(program.address, weak, "one.example")
        with socket.create_connection(program.address, timeout=60) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
            assert not sock.recv(100).startswith(b"HTTP/")
    assert backend.received == []


def test_a_reload_brings_the_new_certificate_and_a_bad_one_changes_nothing(
    backend: RawBackend, tmp_path: Path
) -> None:
    made, key = certificate(tmp_path, "one.example")
    later, later_key = certificate(tmp_path, "two.example")
    with running_program(
        MILLRACE_LB_BACKENDS=f"127.0.0.1:{backend.port}",
        MILLRACE_LB_TLS_CERTIFICATE=str(made), MILLRACE_LB_TLS_KEY=str(key),
    ) as program:  # fmt: skip
        context, later_context = trusting(made), trusting(later)
        assert "one.example" in str(subject(program.address, context, "one.example"))
        key.write_text(later_key.read_text())  # does not fit the certificate
        program.process.send_signal(1)
        until(lambda: program.said("reload refused"), "it refuses")
        assert "MILLRACE_LB_TLS_KEY" in program.said("reload refused")[0]["cause"]
        assert "one.example" in str(subject(program.address, context, "one.example"))
        made.write_text(later.read_text())
        program.reload()

        def shows_the_new_one() -> bool:
            try:
                return "two.example" in str(subject(program.address, later_context, "two.example"))
            except ssl.SSLCertVerificationError:
                return False

        # an old process may take a last client until it has heard that it is to end
        until(shows_the_new_one, "the new certificate is shown")

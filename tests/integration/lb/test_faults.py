"""Backends that are killed, stopped, refuse, break off, flap: what clients see meanwhile."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lb.main import Balancer
from tests.integration.lb.conftest import RawBackend, Running, until, whole_request_then

# A backend in a process of its own, so that it can be stopped and killed; prints its port.
PROGRAM = """
import socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline():
            while self.rfile.readline() != b"\\r\\n":
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
with Server(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
"""


class Process:
    """The backend in a process."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        assert popen.stdout is not None
        self.signal = popen.send_signal
        self.id = f"127.0.0.1:{int(popen.stdout.readline())}"


@pytest.fixture
def process() -> Iterator[Process]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as p:
        yield Process(p)
        p.kill()


class Load:
    """Clients that send requests one after the other; `statuses` of all the answers."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.ended = threading.Event()

    def go_on(self, number: int) -> None:
        """Wait for more answers."""
        reached = len(self.statuses) + number
        until(lambda: len(self.statuses) >= reached, "requests are answered")


@contextmanager
def load(running: Running, clients: int = 6) -> Iterator[Load]:
    made = Load()

    def send() -> None:
        with running.connect() as client:
            while not made.ended.is_set():
                made.statuses.append(client.request("/v1/query")[0])

    threads = [threading.Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.ended.set()
        for thread in threads:
            thread.join()


def start_with(running: Running, process: Process, **settings: object) -> Balancer:
    """Start the balancer with two backends of our own and the process."""
    for _ in range(2):
        backend = RawBackend()
        running.do(backend.start())
        running.backends.append(backend)
    own = ",".join(f"127.0.0.1:{backend.port}" for backend in running.backends)
    balancer = running.start(0, backends=f"{own},{process.id}", **settings)
    until(lambda: len(balancer.proxy.backends.ready) == 3, "all are ready")
    return balancer


def test_a_stopped_process_costs_no_request_that_may_be_repeated(
    running: Running, process: Process
) -> None:
    balancer = start_with(running, process, check_timeout_s=0.5, check_fall=2)
    backend = balancer.proxy.backends.by_id[process.id]
    with load(running) as sent:
        sent.go_on(30)
        process.signal(signal.SIGSTOP)
        until(lambda: backend.state == "ejected", "it is ejected")
        sent.go_on(30)
        process.signal(signal.SIGCONT)
        until(lambda: backend.state == "ready", "it is back")
        answered = sum(backend.answers)
        until(lambda: sum(backend.answers) > answered, "it gets requests again")
    assert set(sent.statuses) == {200}
    assert balancer.proxy.counters.retries["silent"] >= 1


def test_what_may_not_be_repeated_stays_with_a_stopped_process(
    running: Running, process: Process
) -> None:
    balancer = start_with(
        running, process, check_timeout_s=0.5, check_fall=2, strategy="round_robin"
    )
    backend = balancer.proxy.backends.by_id[process.id]
    process.signal(signal.SIGSTOP)
    clients = [running.connect() for _ in range(3)]
    for client in clients:
        client.send("PATCH /v1/jobs HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: backend.state == "ejected", "it is ejected")
    failed = backend.health.failed
    until(lambda: backend.health.failed > failed + 1, "further checks have failed")
    assert backend.active == 1
    process.signal(signal.SIGCONT)
    assert [client.response()[0] for client in clients] == [200] * 3
    for client in clients:
        client.socket.close()


def test_a_killed_process_costs_no_request_that_may_be_repeated(
    running: Running, process: Process
) -> None:
    balancer = start_with(running, process)
    with load(running) as sent:
        sent.go_on(30)
        process.signal(signal.SIGKILL)
        until(lambda: balancer.proxy.backends.by_id[process.id].state == "ejected", "it is ejected")
        sent.go_on(30)
    assert set(sent.statuses) == {200}


def test_a_backend_that_refuses_is_never_used(running: Running) -> None:
    balancer = running.start(2)
    refusing = running.backends[0]
    running.do(refusing.stop())
    with load(running, 2) as sent:
        until(lambda: len(balancer.proxy.backends.ready) == 1, "it is ejected")
        sent.go_on(20)
    assert set(sent.statuses) == {200}


def test_a_backend_that_breaks_off_its_answers_is_ejected(running: Running) -> None:
    balancer = running.start(2, max_connection_failures=3, eject_s=60)
    bad = running.backends[0]
    bad.answer = whole_request_then(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
    bad.close_after = True
    broken = 0
    for _ in range(12):
        with running.connect() as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            broken += b"Content-Length: 9" in client.rest()
    assert broken == 3  # nothing can be taken back; but no more than it takes to eject
    assert [b.state for b in balancer.proxy.backends.by_id.values()] == ["ejected", "ready"]


def test_a_backend_that_passes_checks_but_fails_requests_is_used_ever_less(
    running: Running,
) -> None:
    balancer = running.start(2, max_connection_failures=1, eject_s=0.05, eject_max_s=60)
    flapping = running.backends[0]
    flapping.answer = lambda number, data: None
    backend = balancer.proxy.backends.by_id[f"127.0.0.1:{flapping.port}"]
    with load(running, 2) as sent:
        until(lambda: backend.ejections >= 3, "it is ejected again and again")
    assert backend.health.eject_s >= 0.2
    assert set(sent.statuses) == {200}
    assert len(flapping.received) < 20


def test_with_too_few_ready_the_ejected_are_used_too(running: Running) -> None:
    balancer = running.start(2, panic_ratio=0.3)
    for backend in running.backends:
        backend.ready = False
    until(lambda: not balancer.proxy.backends.ready, "both are ejected")
    with running.connect() as client:
        assert [client.request()[0] for _ in range(4)] == [200] * 4
    assert running.admin("GET", "/lb/status")[1]["panicking"] is True
    assert all(backend.received for backend in running.backends)


def test_status_tells_how_the_latest_check_went(running: Running) -> None:
    running.start(2)
    running.backends[1].ready = False
    balancer = running.balancer
    assert balancer is not None
    until(lambda: len(balancer.proxy.backends.ready) == 1, "one is ejected")
    first, second = running.admin("GET", "/lb/status")[1]["backends"]
    assert first["last_check_result"] == "passed"
    assert second["last_check_result"] == "the check was answered 503"
    assert first["last_check_ms"] > 0


def test_a_drained_backend_is_taken_back_slowly(running: Running) -> None:
    balancer = running.start(2, slow_start_s=60.0, strategy="round_robin")
    for backend in balancer.proxy.backends.by_id.values():  # as if they were here for long
        assert backend.ready_since is not None
        backend.ready_since -= 60
    until(lambda: {b.weight for b in balancer.proxy.backends.ready} == {1.0}, "at full weight")
    path = f"/lb/backends/127.0.0.1:{running.backends[0].port}"
    running.admin("PUT", path, {"state": "drain"})
    running.admin("PUT", path, {"state": "ready"})
    with running.connect() as client:
        for _ in range(60):
            assert client.request()[0] == 200
    received = [len(b"".join(b.received).split(b"GET /")) for b in running.backends]
    assert received[0] * 3 < received[1]

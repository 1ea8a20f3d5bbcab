"""Where backends are found: names, files, IPv6; found and lost while requests go on."""

import os
import socket
import threading
from pathlib import Path

import pytest

from tests.integration.lb.conftest import OK, RawBackend, Running, until


def started(running: Running, host: str = "127.0.0.1", port: int = 0) -> RawBackend:
    """Start a backend of which the balancer is not told."""
    backend = RawBackend()
    running.do(backend.start(port, host))
    running.backends.append(backend)
    return backend


def ids(running: Running) -> list[str]:
    assert running.balancer is not None
    return sorted(running.balancer.proxy.backends.by_id)


class Names:
    """A name server: what it says is set, and it can fail."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = set(hosts)
        self.fails = False
        self.asked = 0

    async def look_up(self, _: str) -> set[str]:
        self.asked += 1
        if self.fails:
            raise socket.gaierror(socket.EAI_AGAIN, "the name server is away")
        return set(self.hosts)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names("127.0.0.1")
    monkeypatch.setattr("lb.backend.resolver._look_up", made.look_up)
    return made


def test_new_addresses_of_a_name_get_requests_and_lost_ones_finish_theirs(
    running: Running, names: Names
) -> None:
    first = started(running)
    balancer = running.start(
        0, backends=f"dns://app:{first.port}", resolve_interval_s=0.05, strategy="round_robin"
    )
    release = threading.Event()
    first.answer = lambda number, data: OK if release.is_set() or number else b""
    with running.connect() as slow, running.connect() as client:
        until(lambda: balancer.proxy.backends.ready, "the first is ready")
        slow.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        slow.send("cde")
        until(lambda: first.received, "the slow request is there")
        second = started(running, "127.0.0.2", first.port)
        names.hosts.add("127.0.0.2")
        until(lambda: len(balancer.proxy.backends.ready) == 2, "the second is ready")
        for _ in range(10):
            assert client.request()[0] == 200
        assert len(second.received) >= 1
        names.hosts.remove("127.0.0.1")
        until(lambda: ids(running) == [f"127.0.0.2:{first.port}"], "the first is gone")
        taken = len(first.received)
        for _ in range(10):
            assert client.request()[0] == 200
        assert len(first.received) == taken
        release.set()
        running.loop.call_soon_threadsafe(first.answer_all, OK)
        assert slow.response()[0] == 200


def test_a_name_that_cannot_be_looked_up_keeps_its_addresses(
    running: Running, names: Names
) -> None:
    backend = started(running)
    balancer = running.start(0, backends=f"dns://app:{backend.port}", resolve_interval_s=0.02)
    until(lambda: balancer.proxy.backends.ready, "it is ready")
    names.fails = True
    asked = names.asked
    until(lambda: names.asked > asked + 3, "it was asked again")
    assert ids(running) == [f"127.0.0.1:{backend.port}"]
    with running.connect() as client:
        assert client.request()[0] == 200


def test_backends_of_a_file_follow_it_and_a_broken_one_changes_nothing(
    running: Running, tmp_path: Path
) -> None:
    first, second = started(running), started(running)
    file = tmp_path / "backends"
    file.write_text(f"127.0.0.1:{first.port} weight=3 # ours\n")
    balancer = running.start(0, backends=f"file://{file}", resolve_interval_s=0.02)
    backends = balancer.proxy.backends
    until(lambda: backends.ready, "the first is ready")
    assert next(iter(backends.by_id.values())).weight == 3

    # replaced, as an editor or a deployment does it
    new = tmp_path / "new"
    new.write_text(f"127.0.0.1:{first.port}\n127.0.0.1:{second.port}\n")
    new.rename(file)
    until(lambda: len(backends.ready) == 2, "the second is ready")
    assert {backend.weight for backend in backends.ready} == {1}

    for broken in ("127.0.0.1\n", "", None):
        if broken is None:
            file.unlink()
        else:
            file.write_text(broken)
        running.do(balancer._resolver.resolve())
        assert len(backends.by_id) == 2
    file.write_text(f"127.0.0.1:{second.port}\n")
    until(lambda: ids(running) == [f"127.0.0.1:{second.port}"], "the first is gone")
    with running.connect() as client:
        assert client.request()[0] == 200


def test_a_backend_may_have_an_ipv6_address(running: Running) -> None:
    try:
        backend = started(running, "::1")
    except OSError:
        assert "CI" not in os.environ, "CI must have IPv6"
        pytest.skip("this machine has no IPv6")
    running.start(0, backends=f"[::1]:{backend.port}")
    assert ids(running) == [f"[::1]:{backend.port}"]
    with running.connect() as client:
        until(lambda: client.request()[0] == 200, "it is ready")
    assert running.admin("PUT", f"/lb/backends/[::1]:{backend.port}", {"state": "drain"})[0] == 200

"""What waits for room at a backend, and the connections that are kept to it."""

import json
import threading

import pytest

from lb.pick import STRATEGIES
from tests.integration.lb.conftest import OK, Connection, Running, until

GET = "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"


def paths(running: Running) -> list[int]:
    """Return the numbers of the requests, in the order in which the one backend got them."""
    received = b"".join(running.backends[0].received)
    return [int(part.split(b" ")[0]) for part in received.split(b"GET /")[1:]]


def waiting(running: Running, number: int) -> list[Connection]:
    """Send requests 0, 1 …: the first is held by the only backend, the others wait in line."""
    assert running.balancer is not None
    queue = running.balancer.proxy.backends.queue.waiting
    clients = [running.connect() for _ in range(number)]
    for index, client in enumerate(clients):
        client.send(GET % index)
        if index:
            until(lambda index=index: len(queue) == index, "it waits")  # type: ignore[misc]
        else:
            until(lambda: running.backends[0].received, "the first is there")
    return clients


def test_requests_wait_for_room_and_are_served_in_order(running: Running) -> None:
    running.start(1, max_backend_connections=1)
    release = threading.Event()
    running.backends[0].answer = lambda number, data: OK if release.is_set() else b""
    clients = waiting(running, 6)
    release.set()
    running.loop.call_soon_threadsafe(running.backends[0].answer_all, OK)
    assert [client.response()[0] for client in clients] == [200] * 6
    assert paths(running) == [0, 1, 2, 3, 4, 5]
    assert len(running.backends[0].received) == 1  # on one connection
    for client in clients:
        client.socket.close()


@pytest.mark.parametrize("settings", [{"queue_length": 1}, {"queue_timeout_s": 0.2}])
def test_who_finds_the_queue_full_or_waits_too_long_gets_503(
    running: Running, settings: dict[str, float]
) -> None:
    running.start(1, max_backend_connections=1, **settings)
    running.backends[0].answer = lambda number, data: b""
    # where the queue's time is short, who waits before may have gone
    before = waiting(running, 2 if "queue_length" in settings else 1)
    with running.connect() as last:
        status, fields, body = last.request()
        assert status == 503
        assert int(fields[b"retry-after"]) >= 1
        assert json.loads(body)["type"] == "/problems/backends-busy"
    for client in before:
        client.socket.close()
    _, document = running.admin("GET", "/lb/status")
    assert document["queue"]["refused"] + document["queue"]["expired"] >= 1


def test_a_client_that_departs_leaves_the_queue(running: Running) -> None:
    balancer = running.start(1, max_backend_connections=1)
    running.backends[0].answer = lambda number, data: b""
    first, second, third = waiting(running, 3)
    second.socket.close()
    until(lambda: len(balancer.proxy.backends.queue.waiting) == 1, "the second has left")
    running.backends[0].answer = lambda number, data: OK
    first.socket.close()  # which closes its connection to the backend, and so makes room
    assert third.response()[0] == 200
    assert paths(running) == [0, 2]
    third.socket.close()


def test_no_more_connections_are_kept_than_may_be(running: Running) -> None:
    balancer = running.start(1, max_idle_per_backend=2)
    release = threading.Event()
    running.backends[0].answer = lambda number, data: OK if release.is_set() else b""
    clients = [running.connect() for _ in range(5)]
    for client in clients:
        client.send(GET % 1)
    until(lambda: len(running.backends[0].received) == 5, "all are there")
    release.set()
    running.loop.call_soon_threadsafe(running.backends[0].answer_all, OK)
    for client in clients:
        assert client.response()[0] == 200
        client.socket.close()
    backend = balancer.proxy.backends.ready[0]
    until(lambda: (len(backend.idle), backend.connections) == (2, 2), "two are kept")
    until(lambda: running.backends[0].closed == 3, "the others are closed")


def test_the_strategy_is_switched_under_load_without_a_failure(running: Running) -> None:
    balancer = running.start(3)
    statuses: list[int] = []
    ended = threading.Event()

    def load() -> None:
        with running.connect() as client:
            while not ended.is_set():
                statuses.append(client.request("/v1/jobs", "POST", b"{}")[0])

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(100):
        reached = len(statuses) + 3
        balancer.proxy.backends.strategy = STRATEGIES[turn % len(STRATEGIES)]
        until(lambda reached=reached: len(statuses) >= reached, "requests go on")  # type: ignore[misc]
    ended.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert all(backend.received for backend in running.backends)

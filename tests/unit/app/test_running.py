"""Running queries are found by their id, and their clients watched."""

import socket
import threading
from collections.abc import Iterator

import pytest

from app.queries.control import Cause
from app.queries.running import RunningQueries


@pytest.fixture
def causes() -> list[Cause]:
    return []


@pytest.fixture
def running(causes: list[Cause]) -> Iterator[RunningQueries]:
    running = RunningQueries(look_s=0.001, on_cancelled=causes.append)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_all_queries_of_an_id_are_ended(running: RunningQueries, causes: list[Cause]) -> None:
    with running.track("a", 60) as first, running.track("a", 60) as second:
        assert len(running) == 2
        assert not running.cancel("b", "deleted")
        assert running.cancel("a", "deleted")
        assert (first.cause, second.cause) == ("deleted", "deleted")
        assert running.cancel("a", "deleted")
    assert not running.cancel("a", "deleted")
    assert (len(running), causes) == (0, ["deleted", "deleted"])


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n"])
def test_a_client_that_closes_ends_its_query(
    running: RunningQueries, pair: tuple[socket.socket, socket.socket], sent: bytes
) -> None:
    ours, theirs = pair
    gone = threading.Event()
    with running.track("q", 60, ours) as control, control.cancelling(gone.set):
        theirs.sendall(sent)
        theirs.close()
        assert gone.wait(30)
        assert control.cause == "client gone"


def test_what_a_client_sends_is_left_for_who_reads_it(
    running: RunningQueries, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    other, gone = socket.socketpair()
    seen = threading.Event()
    with (
        running.track("q", 60, ours) as control,
        running.track("gone", 60, other) as second,
        second.cancelling(seen.set),
    ):
        theirs.sendall(b"next request")
        gone.close()
        assert seen.wait(30)  # so both have been looked at
        assert control.cause is None
    other.close()
    assert ours.recv(100) == b"next request"
    assert ours.getblocking()

"""What is known of a request, by how it ended."""

import json
import socket
import threading
import time
from collections.abc import Callable

import pytest

from cli.drill.connection import Connection, Reply
from cli.drill.event import Outcome


def reply(status: int | None, problem: str = "", broken: str = "") -> Reply:
    body = json.dumps({"type": f"/problems/{problem}"}).encode() if problem else b""
    return Reply(0.0, 1.0, status, {}, body, broken)


@pytest.mark.parametrize(
    ("status", "problem", "outcome"),
    [
        (202, "", "ok"),
        (422, "validation-failed", "failed"),
        (409, "idempotency-key-busy", "failed"),
        (503, "digest-store-busy", "failed"),
        # PostgreSQL can have gone just behind its commit
        (503, "database-unavailable", "unknown"),
        (503, "digest-store-unsure", "unknown"),
        (502, "", "unknown"),
    ],
)
def test_an_answer_says_whether_there_can_be_an_effect(
    status: int, problem: str, outcome: Outcome
) -> None:
    assert reply(status, problem).outcome == outcome


def test_an_error_is_named_by_its_status_and_problem() -> None:
    assert reply(503, "database-unavailable").ending == "503 database-unavailable"
    assert reply(502).ending == "502"
    assert reply(200).ending == "ok"


def answered(serve: Callable[[socket.socket], object], timeout_s: float = 30.0) -> Reply:
    """How a request ends at a server that does `serve` to its first connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            accepted, _ = server.accept()
            with accepted:
                asked = b""
                while not asked.endswith(b"}"):  # closed with a part unread, it would be reset
                    asked += accepted.recv(65536)
                serve(accepted)

        thread = threading.Thread(target=run)
        thread.start()
        connection = Connection(
            f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s, time.monotonic
        )
        try:
            return connection.ask("POST", "/v1/hash", {"data": "a"})
        finally:
            connection.close()
            thread.join()


def test_a_connection_that_ends_without_an_answer_leaves_the_outcome_unknown() -> None:
    found = answered(lambda _: None)
    assert (found.ending, found.outcome) == ("connection broken", "unknown")


def test_an_answer_that_is_cut_off_leaves_the_outcome_unknown() -> None:
    found = answered(lambda one: one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"))
    assert (found.ending, found.outcome) == ("answer cut off", "unknown")


def test_silence_leaves_the_outcome_unknown() -> None:
    found = answered(lambda one: one.recv(1), timeout_s=0.1)
    assert (found.ending, found.outcome) == ("no answer in time", "unknown")


def test_a_refused_connection_has_had_no_effect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = Connection(f"http://127.0.0.1:{port}", 1.0, time.monotonic).ask("GET", "/")
    assert (found.ending, found.outcome) == ("connection refused", "failed")

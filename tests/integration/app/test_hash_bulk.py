"""Streams and batches through a real replica: constant memory, early answers, broken clients."""

import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any, Self

import httpx
import psutil
import pytest

from app.hashes import digest_fields
from tests.integration.app.conftest import DEADLINE_S, Replica, wait_until

PIECE = bytes(index * 31 % 256 for index in range(1_000_003))
PIECES = 130
GROWTH_BYTES = 40 * 1024 * 1024


def many() -> Iterator[bytes]:
    for _ in range(PIECES):
        yield PIECE


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    hashers = {name: hashlib.new(name) for name in ("sha256", "md5")}
    for piece in many():
        for hasher in hashers.values():
            hasher.update(piece)
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}


class Memory:
    """The most memory that a replica's processes held, above what they began with."""

    def __init__(self, replica: Replica) -> None:
        master = psutil.Process(replica.process.pid)
        self._processes = [master, *master.children(recursive=True)]
        self._began = self._now()
        self._most = self._began
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _now(self) -> int:
        return sum(process.memory_info().rss for process in self._processes)

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self._most = max(self._most, self._now())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        return self._most - self._began


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_130_megabytes_are_hashed_in_constant_memory(
    alone: Replica, expected: dict[str, str], framing: str
) -> None:
    headers = {"Content-Length": str(PIECES * len(PIECE))} if framing == "length" else {}
    digest = digest_fields.write({"sha-256": bytes.fromhex(expected["sha256"])})
    headers |= {"Content-Digest": digest}
    address = "/v1/hash/stream?algorithm=sha256&algorithm=md5"
    alone.http.post(address, content=b"warm up")
    with Memory(alone) as memory:
        answer = alone.http.post(address, content=many(), headers=headers).json()
    assert {one["algorithm"]: one["digest"] for one in answer["digests"]} == expected
    assert answer["size_bytes"] == PIECES * len(PIECE)
    assert answer["checked"] == [{"field": "Content-Digest", "algorithm": "sha-256"}]
    assert memory.growth < GROWTH_BYTES


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_the_next_request_on_the_connection_is_not_touched(alone: Replica, framing: str) -> None:
    body = b"abc"
    head = "Content-Length: 3\r\n" if framing == "length" else "Transfer-Encoding: chunked\r\n"
    framed = body if framing == "length" else b"3\r\nabc\r\n0\r\n\r\n"
    first = f"POST /v1/hash/stream HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode() + framed
    second = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", alone.port), DEADLINE_S) as connection:
        connection.sendall(first + second)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert hashlib.sha256(b"abc").hexdigest().encode() in received


def items(count: int) -> Iterator[bytes]:
    for index in range(count):
        yield json.dumps({"data": f"value {index}", "algorithm": "sha256"}).encode() + b"\n"


def test_a_client_that_reads_only_at_the_end_is_answered_in_constant_memory(
    alone: Replica,
) -> None:
    count = 100_000
    body = b"".join(items(count))
    head = (
        "POST /v1/hash/batch HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with (
        Memory(alone) as memory,
        socket.create_connection(("127.0.0.1", alone.port), DEADLINE_S) as connection,
    ):
        connection.sendall(head.encode() + body)  # answers alone are more than sockets hold
        response = http.client.HTTPResponse(connection)
        response.begin()
        answers = [json.loads(line) for line in response]
    assert memory.growth < GROWTH_BYTES
    assert [answer["index"] for answer in answers] == list(range(count))
    expected = hashlib.sha256(f"value {count - 1}".encode()).hexdigest()
    assert answers[-1]["digest"] == expected


def test_answers_come_while_the_questions_still_do(alone: Replica) -> None:
    head = (
        "POST /v1/hash/batch HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", alone.port), DEADLINE_S) as connection:
        connection.sendall(head.encode())
        received = b""
        for index in range(3):
            line = f'{{"data": "{index}"}}\n'.encode()
            connection.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            answer = hashlib.sha256(str(index).encode()).hexdigest().encode()
            while answer not in received:
                data = connection.recv(65536)
                assert data
                received += data
        connection.sendall(b"0\r\n\r\n")
        while not received.endswith(b"0\r\n\r\n"):
            received += connection.recv(65536)


@pytest.mark.parametrize("path", ["/v1/hash/stream", "/v1/hash/batch"])
def test_a_client_that_stops_in_the_middle_leaves_nothing_behind(alone: Replica, path: str) -> None:
    worker = psutil.Process(alone.process.pid).children()[0]
    before = worker.num_fds()
    for framing in ("Content-Length: 1000000", "Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", alone.port), DEADLINE_S) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
            connection.sendall(f"{head}{framing}\r\n\r\nff\r\n".encode() + b'{"data": "a"}\n' * 3)
    wait_until(lambda: worker.num_fds() <= before, "its connections are closed")
    assert alone.http.post("/v1/hash", json={"data": "a"}).status_code == 200


def test_a_body_that_ends_early_is_a_400(alone: Replica) -> None:
    head = "POST /v1/hash/stream HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
    with socket.create_connection(("127.0.0.1", alone.port), DEADLINE_S) as connection:
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"3 of 10 bytes" in received


def test_chunks_that_are_none_are_a_400(alone: Replica) -> None:
    head = "POST /v1/hash/stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"
    with socket.create_connection(("127.0.0.1", alone.port), DEADLINE_S) as connection:
        connection.sendall(head.encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"malformed" in received  # and the connection has been closed, or we would still read


def test_a_changed_body_is_found_out(alone: Replica) -> None:
    digest = digest_fields.write({"sha-256": hashlib.sha256(b"what was meant").digest()})
    response = alone.http.post(
        "/v1/hash/stream", content=b"what came", headers={"Content-Digest": digest}
    )
    problem: Any = response.json()
    assert (response.status_code, problem["type"]) == (400, "/problems/digest-mismatch")


def test_limits_of_the_environment_hold(start: Any, nowhere: dict[str, str]) -> None:
    replica = start(**nowhere, MILLRACE_HASH_STREAM_MAX_BYTES="1000")
    assert replica.http.post("/v1/hash/stream", content=b"x" * 1000).status_code == 200
    for content in (b"x" * 1001, iter([b"x" * 600, b"x" * 600])):
        response = httpx.post(f"{replica.http.base_url}/v1/hash/stream", content=content)
        assert response.status_code == 413

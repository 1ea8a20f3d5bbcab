# ruff: noqa: E501 - SQL reads best on one line
"""A stream tells its end, and one without it cannot be taken for whole; through the balancer too."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.integration.app.conftest import Replica, wait_until
from tests.integration.lb.running_program import RunningProgram

FORMS = ("csv", "ndjson", "arrow")
FIELDS = ("Millrace-Row-Count", "Millrace-Truncated", "Millrace-Complete")


@pytest.fixture(scope="module")
def balancer(formats: Replica) -> Iterator[RunningProgram]:
    program = RunningProgram(MILLRACE_LB_BACKENDS=f"127.0.0.1:{formats.port}")
    wait_until(lambda: bool(program.admin("GET", "/lb/status")[1]["backends"][0]["state"] == "ready"), "the replica is ready")  # fmt: skip
    yield program
    program.end()


@pytest.fixture(params=["replica", "balancer"])
def address(request: pytest.FixtureRequest, formats: Replica, balancer: RunningProgram) -> str:
    if request.param == "replica":
        return f"127.0.0.1:{formats.port}"
    return ":".join(str(part) for part in balancer.address)


def curl(
    address: str, form: str, sql: str, *options: str, **body: Any
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["curl", "-sS", "-H", "Content-Type: application/json", "--data-binary", json.dumps({"sql": sql, **body}), *options, f"http://{address}/v1/query?format={form}"],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def exchanged(address: str, form: str, sql: str) -> tuple[bytes, bytes]:
    """Return head and raw body of an answer, its chunks as they came."""
    host, _, port = address.partition(":")
    body = json.dumps({"sql": sql}).encode()
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(b"POST /v1/query?format=%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (form.encode(), len(body), body))  # fmt: skip
        received = b""
        while data := client.recv(65536):
            received += data
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_stream_ends_with_its_count(address: str, form: str) -> None:
    head, rest = exchanged(address, form, "SELECT generate_series(1, 30000)")
    assert f"Trailer: {', '.join(FIELDS)}".encode() in head
    trailers = b"".join(f"{name}: {value}\r\n".encode() for name, value in zip(FIELDS, ("30000", "false", "true"), strict=True))  # fmt: skip
    assert rest.endswith(b"\r\n0\r\n" + trailers + b"\r\n")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("params", [[], ["300000"]])
def test_an_error_of_postgresql_in_the_middle_breaks_the_stream_off(
    address: str, form: str, params: list[str]
) -> None:
    sql = f"SELECT 1 / (290000 - i) AS a, repeat('x', 20) FROM generate_series(1, {'$1::int' if params else 300000}) AS i"
    done = curl(address, form, sql, params=params)
    assert done.returncode == 18, done.stderr
    assert len(done.stdout) > 100_000
    if form == "ndjson":
        problem = json.loads(done.stdout.splitlines()[-1])["error"]
        assert (problem["sqlstate"], problem["type"]) == ("22012", "/problems/sql-failed")


@pytest.mark.parametrize("form", FORMS)
def test_a_passed_deadline_breaks_the_stream_off(address: str, form: str) -> None:
    for timeout_s in (1, 4, 16):
        done = curl(address, form, "SELECT generate_series(1, 2000000000)", timeout_s=timeout_s)
        if done.returncode != 0:
            break
        # it passed before the first row, or even before its turn: more time is given
        assert json.loads(done.stdout)["status"] in {503, 504}
    assert done.returncode == 18, done.stderr
    if form == "ndjson":
        assert json.loads(done.stdout.splitlines()[-1])["error"]["type"] == "/problems/timed-out"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_stream_tells_why_it_broke_off(formats: Replica, encoding: str) -> None:
    sql = "SELECT 1 / (300 - i) AS a, repeat('x', 500) FROM generate_series(1, 400) AS i"
    plain = curl(f"127.0.0.1:{formats.port}", "ndjson", sql, "-H", f"Accept-Encoding: {encoding}")
    assert plain.returncode == 18
    tool = {"gzip": _ungzipped, "zstd": _unzstd}[encoding]
    assert json.loads(tool(plain.stdout).splitlines()[-1])["error"]["sqlstate"] == "22012"


def _ungzipped(data: bytes) -> bytes:
    import zlib

    return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data)


def _unzstd(data: bytes) -> bytes:
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.BufferReader(data), "zstd")
    text = b""
    while piece := stream.read(1):  # beyond what there is, it would fail
        text += piece
        if text.endswith(b"}}\n"):
            break
    return text


@pytest.mark.parametrize("form", FORMS)
def test_a_killed_backend_breaks_the_stream_off(
    address: str, form: str, owner: psycopg.Connection
) -> None:
    sql = f"SELECT generate_series(1, 2000000000) AS killed_{form}"
    found = (
        "FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid() AND state = 'active'"
    )

    def kill() -> None:
        def killed() -> bool:
            rows = owner.execute(
                f"SELECT pg_terminate_backend(pid) {found}", [f"%killed_{form}%"]
            ).fetchall()
            return bool(rows)

        wait_until(killed, "the query's backend is killed")

    process = subprocess.Popen(["curl", "-sS", "-H", "Content-Type: application/json", "-d", json.dumps({"sql": sql}), f"http://{address}/v1/query?format={form}"], stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.read(1)
    killer = threading.Thread(target=kill)
    killer.start()
    rest = process.stdout.read()
    killer.join()
    process.stdout.close()
    assert process.wait(30) == 18
    if form == "ndjson":
        assert json.loads(rest.splitlines()[-1])["error"]["status"] in (500, 502, 503)


@pytest.mark.parametrize("form", FORMS)
def test_a_client_that_leaves_stops_the_query(
    address: str, form: str, owner: psycopg.Connection
) -> None:
    sql = f"SELECT generate_series(1, 2000000000) AS left_{form}"
    process = subprocess.Popen(["curl", "-sS", "-H", "Content-Type: application/json", "-d", json.dumps({"sql": sql}), f"http://{address}/v1/query?format={form}"], stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.read(1)
    process.kill()
    process.stdout.close()
    process.wait(30)

    def is_over() -> bool:
        row = owner.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid() AND state <> 'idle'",
            [f"%left_{form}%"],
        ).fetchone()
        return row is not None and str(row[0]) == "0"

    wait_until(is_over, "nothing of the query is left")


def test_a_client_that_takes_nothing_is_left_at_the_deadline(
    formats: Replica, owner: psycopg.Connection
) -> None:
    body = json.dumps(
        {
            "sql": "SELECT repeat('x', 1000) AS stalled FROM generate_series(1, 2000000000)",
            "timeout_s": 1.5,
        }
    ).encode()
    with socket.create_connection(("127.0.0.1", formats.port), timeout=30) as client:
        client.sendall(b"POST /v1/query?format=csv HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))  # fmt: skip
        assert client.recv(1)

        def is_over() -> bool:
            row = owner.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%AS stalled%%' AND pid <> pg_backend_pid() AND state <> 'idle'"
            ).fetchone()
            return row is not None and str(row[0]) == "0"

        wait_until(is_over, "the stalled query is over")


def test_a_client_of_http_1_0_gets_the_stream_without_chunks(formats: Replica) -> None:
    done = curl(f"127.0.0.1:{formats.port}", "csv", "SELECT 7 AS a", "--http1.0", "-i")
    assert done.stdout.endswith(b"\r\n\r\na\n7\n")
    assert b"Trailer" not in done.stdout

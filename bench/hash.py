"""Hashing side by side: bytes of a stream, requests and batch items, in one run.

    python bench/hash.py [--bytes 1000000000] [--seconds 3] [--items 100000]

Starts a replica of one process, without PostgreSQL and Redis, on this machine.  Each contender
hashes the same bytes: hashlib and blake3 in this process, sha256sum from a pipe, and the replica
over HTTP, with the length announced and in chunks.  Ratios are to hashlib's SHA-256 in the same
run.  Requests are made by wrk, when it is installed, over 16 connections.
"""

import argparse
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

ROOT = Path(__file__).resolve().parent.parent
PIECE = os.urandom(1024 * 1024)
WRK = """wrk.method = "POST"
wrk.body = '{"algorithm": "sha256", "data": "hello"}'
wrk.headers["Content-Type"] = "application/json"
"""


@contextmanager
def replica() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DATABASE_URL": f"postgresql://nobody@/nothing?host={folder}",
            "REDIS_URL": f"unix://{folder}/no.sock",
            "MILLRACE_APP_LISTEN": f"127.0.0.1:{port}",
            "MILLRACE_LOG_LEVEL": "critical",
        }
        argv = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "app" / "gunicorn.conf.py")]
        process = subprocess.Popen(
            [*argv, "app.main:create_app()"], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL
        )
        try:
            wait(port, process)
            yield port
        finally:
            process.terminate()
            process.wait()


def wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def pieces(size: int) -> Iterator[bytes]:
    while size > 0:
        yield PIECE[:size]
        size -= len(PIECE)


def in_process(make: Callable[[], object], size: int) -> str:
    hasher = make()
    for piece in pieces(size):
        hasher.update(piece)  # type: ignore[attr-defined]
    return str(hasher.hexdigest())  # type: ignore[attr-defined]


def by_program(program: str, size: int) -> str:
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for piece in pieces(size):
            process.stdin.write(piece)
        process.stdin.close()
        return process.stdout.read().decode().split()[0]


def over_http(port: int, algorithm: str, size: int, *, chunked: bool) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    path = f"/v1/hash/stream?algorithm={algorithm}"
    headers = {} if chunked else {"Content-Length": str(size)}
    connection.request("POST", path, pieces(size), headers, encode_chunked=chunked)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return str(answer["digests"][0]["digest"])


def streams(port: int, size: int) -> None:
    sha256, b3 = hashlib.sha256, blake3
    contenders: list[tuple[str, str, Callable[[], str]]] = [
        ("hashlib, SHA-256", "sha256", lambda: in_process(sha256, size)),
        ("blake3", "blake3", lambda: in_process(b3, size)),
        ("replica, SHA-256", "sha256", lambda: over_http(port, "sha256", size, chunked=False)),
        (
            "replica, SHA-256, chunks",
            "sha256",
            lambda: over_http(port, "sha256", size, chunked=True),
        ),
        ("replica, BLAKE3", "blake3", lambda: over_http(port, "blake3", size, chunked=False)),
        ("replica, xxHash3", "xxh3_64", lambda: over_http(port, "xxh3_64", size, chunked=False)),
    ]
    if shutil.which("sha256sum"):
        contenders.insert(2, ("sha256sum", "sha256", lambda: by_program("sha256sum", size)))
    base, digests = 0.0, {}
    for name, algorithm, hash_all in contenders:
        began = time.perf_counter()
        digest = hash_all()
        rate = size / (time.perf_counter() - began)
        base = base or rate
        assert digests.setdefault(algorithm, digest) == digest, f"{name} differs"
        print(f"{name:28}{rate / 1e9:8.2f} GB/s   ÷ hashlib's SHA-256 {rate / base:6.2f}")


def requests(port: int, seconds: int) -> None:
    if shutil.which("wrk") is None:
        print("wrk is not installed: no requests/s")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK)
        script.flush()
        for path in ("/v1/hash", "/health/live"):
            lua = ["-s", script.name] if path == "/v1/hash" else []
            argv = ["wrk", "-t1", "-c16", f"-d{seconds}", *lua, f"http://127.0.0.1:{port}{path}"]
            done = subprocess.run(argv, capture_output=True, text=True, check=True)
            [rate] = [
                line.split()[1] for line in done.stdout.splitlines() if "Requests/sec" in line
            ]
            print(f"{path:28}{float(rate):8.0f} requests/s")


def batch(port: int, items: int) -> None:
    body = b"".join(b'{"data": "value %d"}\n' % index for index in range(items))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    began = time.perf_counter()
    connection.request("POST", "/v1/hash/batch", body, {"Content-Type": "application/x-ndjson"})
    answers = connection.getresponse().read().count(b"\n")
    rate = items / (time.perf_counter() - began)
    assert answers == items
    began = time.perf_counter()
    for line in body.splitlines():
        hashlib.sha256(json.loads(line)["data"].encode()).hexdigest()
    plain = items / (time.perf_counter() - began)
    print(f"{'/v1/hash/batch':28}{rate:8.0f} items/s   ÷ a loop over hashlib {rate / plain:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Hashing side by side.")
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--items", type=int, default=100_000)
    wishes = parser.parse_args()
    with replica() as port:
        streams(port, wishes.bytes)
        requests(port, wishes.seconds)
        batch(port, wishes.items)


if __name__ == "__main__":
    main()

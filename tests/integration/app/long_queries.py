"""Queries that would take hours, and a look at whether PostgreSQL still works on them."""

import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from tests.integration.app.conftest import ROOT, Replica, wait_until

PARTITIONED = "partitioned"
DIRECT = "direct"


def make_table(database_url: str) -> None:
    """Make the table that the queries read."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT i AS n FROM generate_series(1, 20000) AS i")
        connection.execute("ANALYZE t")


@dataclass(frozen=True)
class LongQuery:
    """A query for hours, of either mode; its alias tells its statements from all others."""

    mode: str
    mark: str = field(default_factory=lambda: f"q{uuid.uuid4().hex}")

    @property
    def body(self) -> dict[str, Any]:
        """The request."""
        series = f"generate_series(1, 2000000000) AS {self.mark}(i)"
        if self.mode == DIRECT:
            return {"sql": f"SELECT count(*) FROM {series}", "engine": DIRECT}
        sql = f"SELECT count(*) FROM t WHERE n + (SELECT count(*) FROM {series} WHERE i > n) > 0"
        return {"sql": sql, "engine": PARTITIONED, "partitions": 4}

    @property
    def sessions(self) -> int:
        """Sessions that run it, when it runs as wide as it can on two workers' slots."""
        return 1 if self.mode == DIRECT else 2

    def running(self, database_url: str) -> int:
        """Count the sessions that work on it now."""
        with psycopg.connect(database_url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s "
                "AND state = 'active' AND pid <> pg_backend_pid()",
                [f"%{self.mark}%"],
            ).fetchone()
        return int(row[0]) if row else 0

    def wait_until_it_runs(self, database_url: str) -> None:
        """Wait until it runs as wide as it can."""
        wait_until(lambda: self.running(database_url) >= self.sessions, "it runs")

    def is_seen_before(self, is_answered: Callable[[], bool], database_url: str) -> bool:
        """Wait until it runs as wide as it can, or is answered; tell whether it was seen to run."""
        seen = False

        def look() -> bool:
            nonlocal seen
            seen = self.running(database_url) >= self.sessions
            return seen or is_answered()

        wait_until(look, "it runs, or is answered")
        return seen

    def wait_until_it_is_over(self, database_url: str) -> None:
        """Wait until nothing of it runs."""
        wait_until(lambda: self.running(database_url) == 0, "nothing of it runs")


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[None]:
    """Run a worker with two slots."""
    process = subprocess.Popen(
        [sys.executable, "-m", "worker"], cwd=ROOT, stdout=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], **environment},
    )  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        process.wait()


def wait_for_worker(replica: Replica) -> None:
    """Wait until the replica sends fragments, over the table that the queries read, to a worker."""

    def takes_fragments() -> bool:
        body = {"sql": "SELECT count(*) FROM t", "engine": PARTITIONED, "partitions": 2}
        return replica.http.post("/v1/query", json=body).status_code == 200

    wait_until(takes_fragments, "a worker takes fragments")


class Asker(threading.Thread):
    """Asks in the background; `response` is there once it has ended."""

    def __init__(self, port: int, query: LongQuery, request_id: str = "", **more: Any) -> None:
        super().__init__(daemon=True)
        self._url = f"http://127.0.0.1:{port}/v1/query"
        self._json = {**query.body, **more}
        self._headers = {"X-Request-ID": request_id} if request_id else {}
        self.response: httpx.Response | None = None
        self.start()

    def run(self) -> None:
        self.response = httpx.post(self._url, json=self._json, headers=self._headers, timeout=60)

    def is_answered(self) -> bool:
        """Tell whether the response is there."""
        return self.response is not None

    def answer(self) -> httpx.Response:
        """Wait for the response."""
        self.join(60)
        assert self.response is not None
        return self.response


def send_and_stay(port: int, query: LongQuery, then: bytes = b"") -> socket.socket:
    """Send the request, and `then`; return the connection, with the answer yet to come."""
    request = httpx.Request("POST", f"http://127.0.0.1:{port}/v1/query", json=query.body)
    head = f"POST /v1/query HTTP/1.1\r\nHost: here:{port}\r\nContent-Type: application/json\r\n"
    body = request.read()
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    raw.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + then)
    return raw

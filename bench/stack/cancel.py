"""How long PostgreSQL works on for nobody: after a disconnect, a DELETE, and a deadline.

DATABASE_URL=… python bench/stack/cancel.py [--url http://127.0.0.1:8080] [--times 10]

Against a running stack, with MILLRACE_MAX_QUERY_COST high enough for a query of hours, and best
through the balancer.  Makes a small table of its own, and drops it.  Prints median and most of the
milliseconds until no session of the query is left in pg_stat_activity; the look itself takes about
one of them.
"""

import argparse
import json
import os
import socket
import statistics
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg

TABLE = "millrace_bench_cancel"
DEADLINE_S = 2.0
GIVE_UP_S = 30.0
LOOK = """SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE %s AND state = 'active' AND pid <> pg_backend_pid()"""
# the query itself, and not the planning before it
LOOK_LONG = f"{LOOK} AND query_start < clock_timestamp() - interval '0.2 s'"


class Bench:
    """One stack under test."""

    def __init__(self, url: str, schema: str, connection: psycopg.Connection[Any]) -> None:
        self._url = url
        self._schema = schema
        self._connection = connection
        self._address = urlsplit(url)
        self.sent_at = 0.0

    def run(self, mode: str, end: Callable[["Bench", socket.socket, str], float]) -> float:
        """Start a query, end it, and return the milliseconds until nothing of it runs."""
        mark = f"q{uuid.uuid4().hex}"
        timeout = {"timeout_s": DEADLINE_S} if end is deadline else {}
        with self._send(mark, {**self._body(mark, mode), **timeout}) as client:
            self._until(LOOK_LONG, mark, lambda sessions: sessions > 0, client)
            ended = end(self, client, mark)
            self._until(LOOK, mark, lambda sessions: sessions == 0, None)
            return (time.monotonic() - ended) * 1000

    def delete(self, query_id: str) -> None:
        """Send the DELETE."""
        request = urllib.request.Request(f"{self._url}/v1/queries/{query_id}", method="DELETE")
        with urllib.request.urlopen(request, timeout=GIVE_UP_S):
            pass

    def _body(self, mark: str, mode: str) -> dict[str, Any]:
        series = f"generate_series(1, 2000000000) AS {mark}(i)"
        if mode == "direct":
            return {"sql": f"SELECT count(*) FROM {series}", "engine": mode}
        return {
            "sql": f"SELECT count(*) FROM {self._schema}.{TABLE} AS t "
            f"WHERE n + (SELECT count(*) FROM {series} WHERE i > n) > 0",
            "engine": mode,
            "partitions": 8,
        }

    def _send(self, mark: str, body: dict[str, Any]) -> socket.socket:
        data = json.dumps(body).encode()
        head = (
            f"POST /v1/query HTTP/1.1\r\nHost: {self._address.netloc}\r\nX-Request-ID: {mark}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        address = (self._address.hostname or "", self._address.port or 80)
        client = socket.create_connection(address, timeout=GIVE_UP_S)
        self.sent_at = time.monotonic()
        client.sendall(head.encode() + data)
        return client

    def _until(
        self, look: str, mark: str, condition: Callable[[int], bool], client: socket.socket | None
    ) -> None:
        end = time.monotonic() + GIVE_UP_S
        while True:
            row = self._connection.execute(look, [f"%{mark}%"]).fetchone()
            if condition(int(row[0]) if row else 0):
                return
            if time.monotonic() > end:
                answer = client.recv(2000).decode() if client is not None else ""
                sys.exit(f"not in {GIVE_UP_S:g} s. {answer}")
            time.sleep(0.001)


def disconnect(_bench: Bench, client: socket.socket, _mark: str) -> float:
    """Close the connection."""
    client.close()
    return time.monotonic()


def delete(bench: Bench, _client: socket.socket, mark: str) -> float:
    """End it by its id."""
    began = time.monotonic()
    bench.delete(mark)
    return began


def deadline(bench: Bench, _client: socket.socket, _mark: str) -> float:
    """Wait until its time is over."""
    end = bench.sent_at + DEADLINE_S
    time.sleep(max(0.0, end - time.monotonic()))
    return end


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--schema", default="public", help="the one that the reader may read")
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        table = f"{options.schema}.{TABLE}"
        connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute(
            f"CREATE TABLE {table} AS SELECT i AS n FROM generate_series(1, 50000) i"
        )
        connection.execute(f"GRANT SELECT ON {table} TO PUBLIC")
        connection.execute(f"ANALYZE {table}")
        bench = Bench(options.url, options.schema, connection)
        print(f"{'ended by':<12}{'mode':<14}{'median ms':>10}{'most ms':>10}")
        for end in (disconnect, delete, deadline):
            for mode in ("direct", "partitioned"):
                took = [bench.run(mode, end) for _ in range(options.times)]
                name = end.__name__
                print(f"{name:<12}{mode:<14}{statistics.median(took):>10.0f}{max(took):>10.0f}")
        connection.execute(f"DROP TABLE {table}")


if __name__ == "__main__":
    main()

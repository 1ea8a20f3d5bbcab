"""A client that asks for something long and leaves."""

import json
import random
import socket
from urllib.parse import urlsplit

from cli.faults.fault import Fault, FaultImpossible, Held, Injected

MARK = "left_by_its_client"  # in the text of its query, by which it is found in pg_stat_activity
STAYS_S = (0.2, 1.0)
GONE_S = (1.0, 2.0)  # a query is cancelled within a second of its client's leaving
CONNECT_TIMEOUT_S = 5.0


def client_faults(address: str, rng: random.Random) -> list[Fault]:
    """Return the faults of clients."""

    def leaves() -> Injected:
        place = urlsplit(address)
        # never the same twice, or it could be answered from what was asked before; minutes long
        count = rng.randrange(2_000_000_000, 2_100_000_000)
        sql = f"SELECT count(*) FROM (SELECT generate_series(1, {count})) AS {MARK}"
        body = json.dumps({"sql": sql, "engine": "direct", "max_staleness_s": 0}).encode()
        head = (
            f"POST /v1/query HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        stays_s = rng.uniform(*STAYS_S)
        try:
            with socket.create_connection(
                (place.hostname or "127.0.0.1", place.port or 80), CONNECT_TIMEOUT_S
            ) as connection:
                connection.sendall(head.encode() + body)
                connection.settimeout(stays_s)
                _wait(connection)
        except OSError as error:
            raise FaultImpossible(f"The balancer is not there just now: {error}") from error
        told = f"a client has left {stays_s:.1f} s after it asked for {count} rows to be counted"
        return Held(told, rng.uniform(*GONE_S))

    return [Fault("client-leaves", "client", leaves)]


def _wait(connection: socket.socket) -> None:
    """Wait for the connection's timeout, or until it is refused an answer."""
    try:
        connection.recv(1)
    except TimeoutError:
        return

"""Stored digests a second: in groups, and one commit each, on one PostgreSQL in one run.

    python bench/stack/store.py [--seconds 3] [--url http://127.0.0.1:8080]

Starts a PostgreSQL of its own, which waits for its disk at each commit.  `grouped` is the group
commit as a replica has it, `one each` the same statement for each digest by itself, through a pool
of the same size.  With --url, a running stack is asked by HTTP too, to store and not to store; its
rate limit must be off (MILLRACE_RATE_LIMIT=off).
"""

import argparse
import http.client
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.digests.group_commit import GroupCommit
from app.digests.metrics import DigestMetrics
from app.digests.sighting import Sighting
from app.digests.store import DigestStore
from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer
from db.migrate import migrate
from db.own import own_database
from db.settings import DatabaseSettings

CLIENTS = (1, 8, 32)
Step = Callable[[], None]


def rate(clients: int, seconds: float, make_step: Callable[[], Step]) -> float:
    """Return steps a second of so many threads."""
    done = [0] * clients
    start, end = threading.Barrier(clients + 1), threading.Event()

    def run(number: int) -> None:
        step = make_step()
        start.wait()
        while not end.is_set():
            step()
            done[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    time.sleep(seconds)
    counted = sum(done)
    took_s = time.perf_counter() - began
    end.set()
    for thread in threads:
        thread.join()
    return counted / took_s


def sighting() -> Sighting:
    return Sighting("sha256", os.urandom(32), 100, "bench")


def in_process(url: str, seconds: float) -> None:
    settings = DatabaseSettings(url=url, max_waiting=1000)
    migrate(url, settings)
    print(f"{'clients':>8} {'one each/s':>11} {'grouped/s':>11} {'ratio':>6}  mean group")
    with own_database(settings, "bench") as own:
        store = DigestStore(own)
        for clients in CLIENTS:
            groups: list[int] = []

            def write(sightings: list[Sighting], seen: list[int] = groups) -> None:
                seen.append(len(sightings))
                store.write(sightings)

            commit = GroupCommit(
                write,  # type: ignore[arg-type]
                max_waiting=20_000,
                timeout_s=30.0,
                metrics=DigestMetrics(CollectorRegistry()),
            )
            commit.start()
            alone = rate(clients, seconds, lambda: lambda: store.write([sighting()]))
            grouped = rate(
                clients,
                seconds,
                lambda own=commit: lambda: own.store([sighting()]),  # type: ignore[misc]
            )
            commit.stop()
            mean = sum(groups) / len(groups)
            print(
                f"{clients:>8} {alone:>11.0f} {grouped:>11.0f} {grouped / alone:>6.1f}  {mean:.1f}"
            )


def poster(url: str, store: bool) -> Step:
    """Return a step that posts a value of its own to the API."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {"Content-Type": "application/json"}

    def post() -> None:
        body = json.dumps({"data": os.urandom(16).hex(), "store": store})
        connection.request("POST", "/v1/hash", body, headers)
        response = connection.getresponse()
        text = response.read()
        if response.status != http.client.OK:
            sys.exit(f"{response.status} {text[:300]!r}")

    return post


def over_http(url: str, seconds: float) -> None:
    print(f"\n{'clients':>8} {'stored/s':>11} {'only hashed/s':>14}   by HTTP")
    for clients in CLIENTS:
        stored = rate(clients, seconds, lambda: poster(url, store=True))
        hashed = rate(clients, seconds, lambda: poster(url, store=False))
        print(f"{clients:>8} {stored:>11.0f} {hashed:>14.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--url", help="of a running stack")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    try:
        server = EmbeddedPostgres(place_for(folder))
        server.initialise()
        with RunningServer(server.program(), folder / "postgres.log"):
            in_process(server.url("postgres"), given.seconds)
    finally:
        place_for(folder).remove()
        shutil.rmtree(folder, ignore_errors=True)
    if given.url:
        over_http(given.url, given.seconds)


if __name__ == "__main__":
    main()

"""PostgreSQL stopped under load, and back again: what clients see, and how gently it is met.

    python bench/stack/outage.py [--stopped-s 30] [--clients 16] [--apps 2] [--workers 2]

Brings a PostgreSQL and a Valkey of its own, and `millrace up` in front of them, which therefore
leaves them alone.  Half of the clients ask what the cache may answer, half want it computed now.

- first fast failure: from the stop until a request was refused within 50 ms
- served stale: of the requests that the cache may answer, those answered and marked, in the outage
- normal: from PostgreSQL's "ready" until 20 requests of each kind in a row were right and fresh
- connections: opened within a second of the first one after its return, by PostgreSQL's own log
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import psycopg

from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer
from cli.embedded.valkey import EmbeddedValkey
from cli.stack.ports import free_ports

FAST_S = 0.05
IN_A_ROW = 20
WARM_S = 6.0
RECOVERY_LIMIT_S = 60.0
PAUSE_S = 0.02  # of a client between two requests
QUESTIONS = 20
KINDS = ("cached", "computed")
LOGGED = {"log_connections": "on", "log_line_prefix": "%m ", "log_timezone": "UTC"}
AUTHORIZED = re.compile(r"^(\S+ \S+) \S+ LOG:  connection authorized: .*application_name=(\S+)")


@dataclass(frozen=True)
class Result:
    """A request: when it began and ended, what it was answered with; `kind` cached or computed."""

    kind: str
    began: float
    ended: float
    outcome: str


class Load:
    """Clients that ask without an end, and what they got."""

    def __init__(self, port: int, clients: int) -> None:
        self.results: list[Result] = []
        self._port = port
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(clients)
        ]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        kind = "cached" if number % 2 else "computed"
        turn = number
        while not self._stopped.wait(PAUSE_S):
            turn += 1
            limit = turn % QUESTIONS + 1
            body: dict[str, object] = {"sql": f"SELECT count(*) FROM numbers WHERE id <= {limit}"}
            if kind == "computed":
                body["max_staleness_s"] = 0
            began = time.monotonic()
            outcome = self._ask(body, limit)
            self.results.append(Result(kind, began, time.monotonic(), outcome))

    def _ask(self, body: dict[str, object], right: int) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/v1/query", json.dumps(body), headers)
            answer = connection.getresponse()
            document = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            return type(error).__name__
        finally:
            connection.close()
        if answer.status != 200:
            return f"{answer.status} {str(document.get('type', '')).rpartition('/')[2]}"
        if document["rows"] != [[right]]:
            return "WRONG"
        return "stale" if document["stale"] else "ok"


@contextmanager
def stack(options: argparse.Namespace) -> Iterator[tuple[int, RunningServer, Path]]:
    """Give the balancer's port, the PostgreSQL behind it, and that one's log."""
    folder = Path(tempfile.mkdtemp(prefix="mr-bench-"))
    place = place_for(folder)
    postgres, valkey = EmbeddedPostgres(place, settings=LOGGED), EmbeddedValkey(place)
    log = folder / "postgres.log"
    try:
        postgres.initialise()
        with (
            RunningServer(postgres.program(), log) as server,
            RunningServer(valkey.program(), folder / "valkey.log"),
        ):
            postgres.ensure_database()
            make_table(postgres.url())
            port, admin_port = free_ports(2)
            argv = [sys.executable, "-m", "cli", "up", "--port", str(port)]
            argv += ["--admin-port", str(admin_port), "--data", str(folder / "stack")]
            argv += ["--apps", str(options.apps), "--workers", str(options.workers)]
            environment = os.environ | {
                "DATABASE_URL": postgres.url(), "REDIS_URL": valkey.url(),
                "MILLRACE_RATE_LIMIT": "off", "MILLRACE_CACHE_TTL_S": "2",
            }  # fmt: skip
            said = folder / "said"
            with said.open("wb") as output:
                up = subprocess.Popen(
                    argv, env=environment, stdout=output, stderr=subprocess.STDOUT
                )
            try:
                deadline = time.monotonic() + 90
                while "Millrace answers at" not in said.read_text():
                    if up.poll() is not None or time.monotonic() > deadline:
                        raise SystemExit(said.read_text())
                    time.sleep(0.1)
                yield port, server, log
            finally:
                up.send_signal(signal.SIGTERM)
                up.wait(60)
    finally:
        place.remove()
        shutil.rmtree(folder, ignore_errors=True)


def make_table(url: str) -> None:
    """Create the table that is asked."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT id FROM generate_series(1, 1000) AS id")


def connections_after(log: Path, since: datetime) -> tuple[int, Counter[str]]:
    """Count connections that were opened within a second of the first one after `since`."""
    found: list[tuple[datetime, str]] = []
    for line in log.read_text(errors="replace").splitlines():
        match = AUTHORIZED.match(line)
        if match is None:
            continue
        at = datetime.fromisoformat(match[1])
        if at >= since and match[2].startswith("millrace"):
            found.append((at, match[2]))
    first = [name for at, name in found if (at - found[0][0]).total_seconds() < 1.0]
    return len(first), Counter(first)


def normal_after(results: list[Result], kind: str, since: float) -> float | None:
    """Return the seconds until the first of 20 right and fresh answers in a row."""
    row: list[Result] = []
    for result in sorted(results, key=lambda one: one.ended):
        if result.kind != kind or result.began < since:
            continue
        row = [*row, result] if result.outcome == "ok" else []
        if len(row) == IN_A_ROW:
            return row[0].ended - since
    return None


def main() -> None:
    """Run it and print what was measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stopped-s", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--apps", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with stack(options) as (port, server, log), Load(port, options.clients) as load:
        time.sleep(WARM_S)
        stopped = time.monotonic()
        server.stop()
        time.sleep(max(0.0, options.stopped_s - (time.monotonic() - stopped)))
        returned = datetime.now(UTC).replace(tzinfo=None)
        server.start()
        back = time.monotonic()
        while time.monotonic() - back < RECOVERY_LIMIT_S:
            time.sleep(0.5)
            known = [normal_after(list(load.results), kind, back) for kind in KINDS]
            if all(seconds is not None for seconds in known):
                break
        time.sleep(1.0)
        count, names = connections_after(log, returned)
    report(load.results, stopped, back, count, names)


def report(
    results: list[Result], stopped: float, back: float, count: int, names: Counter[str]
) -> None:
    """Print it."""
    outage = [one for one in results if stopped <= one.began < back]
    fast = [
        one.ended - stopped for one in outage
        if one.outcome.startswith("503") and one.ended - one.began < FAST_S
    ]  # fmt: skip
    print(f"requests                     {len(results)}, in the outage {len(outage)}")
    print(f"wrong answers                {sum(one.outcome == 'WRONG' for one in results)}")
    print(f"first fast failure after     {min(fast):.3f} s" if fast else "no fast failure")
    cached = [one for one in outage if one.kind == "cached"]
    stale = sum(one.outcome == "stale" for one in cached)
    fresh = sum(one.outcome == "ok" for one in cached)
    print(
        f"of {len(cached)} that may be old     {stale / max(1, len(cached)):.1%} stale, "
        f"{fresh / max(1, len(cached)):.1%} still fresh"
    )
    slowest = sorted(one.ended - one.began for one in outage)
    with suppress(IndexError):
        middle, late = slowest[len(slowest) // 2], slowest[int(len(slowest) * 0.99)]
        print(f"latency in the outage        median {middle:.3f} s, p99 {late:.3f} s")
    for kind in KINDS:
        seconds = normal_after(results, kind, back)
        told = "never" if seconds is None else f"{seconds:.3f} s"
        print(f"normal again ({kind})".ljust(29) + told)
    print(f"connections, first second    {count} {dict(names)}")
    for kind in KINDS:
        kinds = Counter(one.outcome for one in outage if one.kind == kind)
        print(f"outcomes in the outage ({kind}): {dict(kinds.most_common())}")


if __name__ == "__main__":
    main()

"""What passwords do to queries: p50 and p99 of both, side by side in one run.

    python bench/stack/passwords.py [http://127.0.0.1:8080] [--rounds 2] [--seconds 8]

Against a running stack on this machine, with its rate limit off (MILLRACE_RATE_LIMIT=off).  Each
round has the same queries alone, beside passwords (Argon2id, RFC 9106's second profile), and beside
passwords whose threads have been given the priority of all others (Linux, with the right to do
so).  A password that is turned away (503) is counted and sent again after a moment.
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

SQL = "SELECT grp, count(*), sum(amount), avg(amount), max(n) FROM numbers GROUP BY grp"
TURNED_AWAY_S = 0.2
NICE_FIELD = 16  # of /proc/…/stat, counted from after the name


class Client:
    """One kept connection; notes the milliseconds of each answer, and the statuses."""

    def __init__(self, url: str, path: str, body: dict[str, object]) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=120
        )
        self._path = path
        self._body = json.dumps(body).encode()
        self.taken_ms: list[float] = []
        self.statuses: Counter[int] = Counter()

    def ask(self) -> None:
        """Send the request once."""
        headers = {"Content-Type": "application/json"}
        began = time.perf_counter()
        self._connection.request("POST", self._path, self._body, headers)
        response = self._connection.getresponse()
        text = response.read()
        self.statuses[response.status] += 1
        if response.status == http.client.OK:
            self.taken_ms.append((time.perf_counter() - began) * 1000)
        elif response.status == http.client.SERVICE_UNAVAILABLE:
            time.sleep(TURNED_AWAY_S)
        else:
            sys.exit(f"{response.status} {text[:300]!r}")


def run(clients: list[Client], seconds: float) -> None:
    end = threading.Event()

    def serve(client: Client) -> None:
        while not end.is_set():
            client.ask()

    threads = [threading.Thread(target=serve, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    end.set()
    for thread in threads:
        thread.join()


def workers(url: str) -> list[int]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    connection.request("GET", "/v1/status")
    status = json.loads(connection.getresponse().read())
    return [worker["pid"] for worker in status["workers"]["items"]]


@contextmanager
def raised(pids: list[int]) -> Iterator[int]:
    """Give the threads of lowered priority that of the others; count them."""
    before: dict[int, int] = {}
    for pid in pids:
        for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
            nice = int(stat.read_text().rpartition(")")[2].split()[NICE_FIELD])
            if nice > 0:
                thread = int(stat.parent.name)
                os.setpriority(os.PRIO_PROCESS, thread, 0)
                before[thread] = nice
    yield len(before)
    for thread, nice in before.items():
        with suppress(ProcessLookupError):  # Argon2's own threads end with their hash
            os.setpriority(os.PRIO_PROCESS, thread, nice)


def told(taken_ms: list[float]) -> str:
    if len(taken_ms) < 2:
        return f"{'–':>8} {'–':>8} {len(taken_ms):>7}"  # noqa: RUF001 - typography
    cuts = statistics.quantiles(taken_ms, n=100)
    return f"{cuts[49]:>8.1f} {cuts[98]:>8.1f} {len(taken_ms):>7}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("--queries", type=int, default=4, help="clients that query")
    parser.add_argument("--passwords", type=int, default=20, help="clients with passwords")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each phase")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    query = {"sql": SQL, "max_staleness_s": 0}
    pids = workers(given.url)
    queries: dict[str, list[float]] = defaultdict(list)
    passwords: dict[str, list[float]] = defaultdict(list)
    away: Counter[str] = Counter()

    def phase(name: str, password_clients: int) -> None:
        asking = [Client(given.url, "/v1/query", query) for _ in range(given.queries)]
        hashing = [
            Client(given.url, "/v1/passwords/hash", {"password": f"secret {number}"})
            for number in range(password_clients)
        ]
        run([*asking, *hashing], given.seconds)
        queries[name] += [ms for client in asking for ms in client.taken_ms]
        passwords[name] += [ms for client in hashing for ms in client.taken_ms]
        away[name] += sum(client.statuses[503] for client in hashing)

    for _ in range(given.rounds):
        phase("queries alone", 0)
        phase("beside passwords", given.passwords)
        with raised(pids) as threads:
            phase(f"same, priority raised ({threads} threads)", given.passwords)
    print(f"{'':<40} {'queries, ms':>25} {'passwords, ms':>26}  turned away")
    print(f"{'':<40} {'p50':>8} {'p99':>8} {'number':>7}   {'p50':>8} {'p99':>8} {'number':>7}")
    for name, taken in queries.items():
        print(f"{name:<40} {told(taken)}   {told(passwords[name])}  {away[name]:>6}")


if __name__ == "__main__":
    main()

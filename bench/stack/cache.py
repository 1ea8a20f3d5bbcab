"""One slow question from 64 clients, then hits, then both again with Redis killed.

    python bench/stack/cache.py http://127.0.0.1:8080 --redis-pid PID

Against a running stack.  Counted by what each answer says of itself: `plan.cache` is "miss" for
whoever had it computed.  The balancer's rate limit must be off (MILLRACE_RATE_LIMIT=off).
"""

import argparse
import json
import os
import signal
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

CLIENTS = 64
HITS = 2000
TIMEOUT_S = 60.0


@dataclass
class Tally:
    """What the clients got."""

    origins: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def ask(client: httpx.Client, sql: str, tally: Tally) -> Any:
    began = time.perf_counter()
    try:
        response = client.post("/v1/query", json={"sql": sql})
    except httpx.HTTPError as error:
        tally.errors.append(repr(error))
        return None
    tally.seconds.append(time.perf_counter() - began)
    if response.status_code != 200:
        tally.errors.append(f"{response.status_code} {response.text[:200]}")
        return None
    body = response.json()
    tally.origins[body["plan"]["cache"]] += 1
    return body


def slow_sql(url: str, seconds: float) -> str:
    """Return a query that takes about so long here; nobody has asked it before."""
    mark = time.time_ns()
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        rows, took = 100_000, 0.0
        while took < seconds * 0.7:
            rows = int(rows * min(4.0, 1.1 * seconds / max(took, seconds / 4)))
            began = time.perf_counter()
            sql = f"SELECT count(*), {mark} AS mark FROM generate_series(1, {rows}) AS i"
            client.post("/v1/query", json={"sql": sql, "max_staleness_s": 0}).raise_for_status()
            took = time.perf_counter() - began
    return f"SELECT count(*), {time.time_ns()} AS mark FROM generate_series(1, {rows}) AS i"


def crowd(url: str, sql: str) -> Tally:
    """Let all clients ask at the same moment."""
    tally, start = Tally(), threading.Barrier(CLIENTS)

    def run() -> None:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
            start.wait()
            ask(client, sql, tally)

    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def hits(url: str, sql: str) -> Tally:
    tally = Tally()
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        for _ in range(HITS):
            ask(client, sql, tally)
    return tally


def report(url: str, name: str, tally: Tally) -> None:
    """Print what came of it, and the store in use at the end: a supervisor restarts Redis."""
    mode = httpx.get(f"{url}/v1/cache", timeout=TIMEOUT_S).json()["mode"]
    cuts = statistics.quantiles(tally.seconds, n=100) if len(tally.seconds) > 1 else [0.0] * 99
    line = {
        "what": name,
        "store_at_end": mode,
        "answers": dict(tally.origins),
        "executions": tally.origins["miss"] + tally.origins["bypass"],
        "errors": len(tally.errors),
        "p50_ms": round(cuts[49] * 1000, 2),
        "p99_ms": round(cuts[98] * 1000, 2),
        "first_errors": tally.errors[:3],
    }
    print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long the query takes")
    parser.add_argument("--redis-pid", type=int, help="killed for the second half")
    given = parser.parse_args()
    sql = slow_sql(given.url, given.seconds)
    report(given.url, "64 clients, one question", crowd(given.url, sql))
    report(given.url, f"{HITS} hits", hits(given.url, sql))
    if given.redis_pid is None:
        return
    second = slow_sql(given.url, given.seconds)
    timer = threading.Timer(given.seconds / 2, lambda: os.kill(given.redis_pid, signal.SIGKILL))
    timer.start()
    report(given.url, "64 clients, Redis killed meanwhile", crowd(given.url, second))
    timer.join()
    report(given.url, f"{HITS} hits after Redis was killed", hits(given.url, sql))
    report(
        given.url, "64 clients, after that", crowd(given.url, slow_sql(given.url, given.seconds))
    )


if __name__ == "__main__":
    main()

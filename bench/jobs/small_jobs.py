"""Many small jobs at a steady rate, against a running stack.

    python bench/jobs/small_jobs.py [--url http://127.0.0.1:8080] [--per-minute 1000] [--minutes 5]

Each job hashes the rows of a small query.  Posts start when they are due, whether or not earlier
ones were answered; one that starts late, since all of the client's connections are in use, counts
from when it was due.  Start the stack with MILLRACE_RATE_LIMIT=off, or posts are refused.

Shown are the posts' times, how many jobs were accepted and how they ended, the time from a job's
acceptance to its end by PostgreSQL's clock, and what is left over.  The exit code is 1 if any was
refused, did not come to its end in time, or did not end as done.
"""

import argparse
import http.client
import json
import math
import sys
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

CONNECTIONS = 16
REQUEST_TIMEOUT_S = 30
PAGE = 500
SHOWN_S = 10


class Client:
    """Posts jobs; each thread keeps a connection."""

    def __init__(self, url: str, rows: int) -> None:
        self._address = urlsplit(url)
        self._local = threading.local()
        parameters = {"sql": f"SELECT n FROM generate_series(1, {rows}) AS n"}
        self._body = json.dumps({"kind": "hash_query", "parameters": parameters})
        self.posts_s: list[float] = []
        self.accepted: list[str] = []
        self.refused: Counter[str] = Counter()

    def post(self, number: int, due: float) -> None:
        """Post one job, and note what came of it."""
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f"{self._address.port}-{time.time_ns()}-{number}",
        }
        try:
            try:
                status, document = self._request("POST", "/v1/jobs", self._body, headers)
            except OSError:  # the key makes it the same job, should the first have come through
                status, document = self._request("POST", "/v1/jobs", self._body, headers)
        except OSError as error:
            self.refused[str(error)[:80]] += 1
            return
        self.posts_s.append(time.perf_counter() - due)
        if status == 202:
            self.accepted.append(document["id"])
        else:
            self.refused[f"{status} {document.get('type')}"] += 1

    def get(self, path: str) -> Any:
        """Return the JSON at a path."""
        status, document = self._request("GET", path, None, {})
        if status != 200:
            raise SystemExit(f"{path}: {status} {document}")
        return document

    def _request(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            host, port = self._address.hostname or "", self._address.port
            connection = http.client.HTTPConnection(host, port, timeout=REQUEST_TIMEOUT_S)
            self._local.connection = connection
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            connection.close()  # and it connects anew when it is used again
            raise OSError(str(error)) from error


def send(client: Client, count: int, interval_s: float) -> None:
    """Post so many jobs at a steady rate."""
    began = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shown = began
        for number in range(count):
            due = began + number * interval_s
            time.sleep(max(0.0, due - time.perf_counter()))
            pool.submit(client.post, number, due)
            if due - shown >= SHOWN_S:
                shown = due
                print(f"\r{number} posted, {len(client.accepted)} accepted", end="", flush=True)
    print(
        f"\r{count} posted in {time.perf_counter() - began:.1f} s, {len(client.accepted)} accepted"
    )


def ended(client: Client, wait_s: float) -> dict[str, dict[str, Any]]:
    """Wait until the jobs are finished; return the documents of all that were accepted."""
    deadline = time.monotonic() + wait_s
    wanted = set(client.accepted)
    while True:
        found: dict[str, dict[str, Any]] = {}
        path: str | None = f"/v1/jobs?limit={PAGE}"
        while path is not None and len(found) < len(wanted):
            page = client.get(path)
            found |= {job["id"]: job for job in page["jobs"] if job["id"] in wanted}
            path = page["next"]
        left = [job for job in found.values() if job["finished_at"] is None]
        if not left or time.monotonic() > deadline:
            return found
        time.sleep(1.0)


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def report(client: Client, jobs: dict[str, dict[str, Any]], count: int) -> bool:
    """Print the figures; tell whether all is well."""
    times_ms = [seconds * 1000 for seconds in client.posts_s]
    if times_ms:
        p50, p99 = percentile(times_ms, 50), percentile(times_ms, 99)
        print(f"POST /v1/jobs: p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {max(times_ms):.1f} ms")
    for reason, number in client.refused.items():
        print(f"refused: {number} times {reason}")
    states = Counter(job["state"] for job in jobs.values())
    lost = len(client.accepted) - len(jobs)
    print(f"jobs: {dict(states)}, {lost} of the accepted ones unknown")
    durations = [
        (
            datetime.fromisoformat(job["finished_at"]) - datetime.fromisoformat(job["created_at"])
        ).total_seconds()
        for job in jobs.values()
        if job["finished_at"] is not None
    ]
    if durations:
        p50, p99 = percentile(durations, 50), percentile(durations, 99)
        print(
            f"accepted to finished: p50 {p50:.2f} s, p99 {p99:.2f} s, most {max(durations):.2f} s"
        )
    left = sum(job["finished_at"] is None for job in jobs.values())
    print(f"left over: {left}")
    return states["done"] == count and not client.refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--per-minute", type=float, default=1000)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rows", type=int, default=100, help="of each job")
    parser.add_argument("--wait-s", type=float, default=120, help="for the jobs' ends, afterwards")
    arguments = parser.parse_args()
    with urllib.request.urlopen(f"{arguments.url}/v1/status", timeout=REQUEST_TIMEOUT_S) as answer:
        workers = json.load(answer)["workers"]["items"]
    print(
        f"{len(workers)} workers; {arguments.per_minute:g} jobs a minute, {arguments.minutes:g} min"
    )
    count = round(arguments.per_minute * arguments.minutes)
    client = Client(arguments.url, arguments.rows)
    send(client, count, 60 / arguments.per_minute)
    sys.exit(0 if report(client, ended(client, arguments.wait_s), count) else 1)


if __name__ == "__main__":
    main()

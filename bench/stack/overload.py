"""Overload: what is still answered when five times as much is asked for as can be done.

    python -m bench.stack.overload [--seconds 60] [--times 5] [--replicas 2] [--rounds 1]
        [--skip-comparison]

Starts a PostgreSQL, a Valkey, replicas and a balancer of its own.  First the capacity: the best
rate of right answers that any number of clients gets, each asking one question after the other.
Then an open loop at so many times that rate; a question is a query of some 10 ms that nothing has
cached, and an answer counts when it is right and comes within the patience of its client.  At last
the same without limits, and lanes beside one another: who is slow in one, and who notices.
"""

import argparse
import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import uvloop

from bench.jobs.stack import own_stack
from bench.stack.load import (
    Address,
    Connections,
    Outcome,
    Question,
    closed_loop,
    get,
    open_loop,
    post,
    probe,
    share,
)

ROOT = Path(__file__).parents[2]
ROWS = 70_000
PATIENCE_S = 2.0
# until nobody remembers the overload
CALM_S = 5.0
# what a fixed pool of threads with an unbounded queue before it does, and a balancer that passes
# everything on
NO_LIMITS = {
    "MILLRACE_APP_QUERY_LIMIT_MIN": "16",
    "MILLRACE_APP_MAX_WAITING": "1000000",
    "MILLRACE_APP_WAIT_S": "3600",
    "MILLRACE_LB_THROTTLE_FACTOR": "1000000",
}
HEALTH = get("/health/live", b"live")
_numbers = itertools.count(1)


def query() -> Question:
    """Return a query that was never asked before, with the answer that PostgreSQL must give."""
    number = next(_numbers)
    sql = f"SELECT sum(i % 7 + {number}) FROM generate_series(1, {ROWS}) AS s(i)"
    answer = ROWS // 7 * 21 + ROWS * number
    return post("/v1/query", json.dumps({"sql": sql}).encode(), f"[[{answer}]]".encode())


def hash_one() -> Question:
    """Return the hash of an empty value."""
    digest = b"d41d8cd98f00b204e9800998ecf8427e"
    return post("/v1/hash", b'{"algorithm": "md5", "data": ""}', digest)


@dataclass(frozen=True)
class Stack:
    """Addresses and processes of replicas and balancer."""

    balancer: Address
    replicas: tuple[Address, ...]
    processes: tuple[subprocess.Popen[bytes], ...]

    def memory_mib(self) -> float:
        """Return the resident memory of all of them, and of their children."""
        parents = {process.pid for process in self.processes}
        kib = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                fields = dict(
                    line.split(":", 1) for line in status.read_text().splitlines() if ":" in line
                )
                if int(fields["Pid"]) in parents or int(fields["PPid"]) in parents:
                    kib += int(fields.get("VmRSS", "0 kB").split()[0])
        return kib / 1024


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(
    database_url: str, redis_url: str, replicas: int, settings: Mapping[str, str]
) -> Iterator[Stack]:
    """Run replicas and a balancer; end them afterwards."""
    common = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **settings}
    environment = common | {
        "DATABASE_URL": database_url, "REDIS_URL": redis_url, "MILLRACE_LOG_LEVEL": "error",
        "MILLRACE_APP_DRAIN_S": "0",
    }  # fmt: skip
    ports = [free_port() for _ in range(replicas)]
    listen, admin = free_port(), free_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "app/gunicorn.conf.py"]
    processes = []
    try:
        for port in ports:
            with tempfile.TemporaryFile() as log:
                processes.append(
                    subprocess.Popen(
                        [*gunicorn, "app.main:create_app()"], cwd=ROOT, stdout=log, stderr=log,
                        env=environment | {"MILLRACE_APP_LISTEN": f"127.0.0.1:{port}"},
                    )
                )  # fmt: skip
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "lb"], cwd=ROOT, stdout=subprocess.DEVNULL,
                env=common | {
                    "MILLRACE_LB_LISTEN": f"127.0.0.1:{listen}",
                    "MILLRACE_LB_ADMIN_LISTEN": f"127.0.0.1:{admin}",
                    "MILLRACE_LB_BACKENDS": ",".join(f"127.0.0.1:{port}" for port in ports),
                    "MILLRACE_RATE_LIMIT": "off", "MILLRACE_LB_SLOW_START_S": "0",
                    "MILLRACE_LB_ACCESS_LOG": "off", "MILLRACE_LOG_LEVEL": "error",
                },
            )
        )  # fmt: skip
        wait_for_ready(f"http://127.0.0.1:{admin}/lb/status", replicas)
        yield Stack(
            ("127.0.0.1", listen), tuple(("127.0.0.1", port) for port in ports), tuple(processes)
        )
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(60)


def wait_for_ready(url: str, replicas: int) -> None:
    """Wait until all replicas are ready, as the balancer sees it."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            backends = httpx.get(url).json()["backends"]
            if sum(each["state"] == "ready" for each in backends) == replicas:
                return
        time.sleep(0.1)
    sys.exit("The replicas do not get ready.")


async def closed(stack: Stack, clients: int, seconds: float) -> float:
    """Return the rate of right answers that so many clients get; prints it."""
    outcome = await closed_loop(stack.balancer, query, clients, seconds)
    right = outcome.seconds.get("right", [])
    rate = len(right) / seconds
    print(f"  {clients:3} clients: {rate:7.1f}/s, p50 {share(right, 0.5):6.0f} ms, "
          f"p99 {share(right, 0.99):6.0f} ms  {dict(outcome.counts())}")  # fmt: skip
    return rate


async def capacity(stack: Stack, seconds: float) -> tuple[float, int]:
    """Return the best rate of right answers, and how many clients get it."""
    await closed_loop(stack.balancer, query, 4, 2.0)  # plans, pools and interpreters get warm
    return max([(await closed(stack, clients, seconds), clients) for clients in (1, 2, 4, 8)])


async def overload(stack: Stack, rate: float, seconds: float) -> float:
    """Ask for `rate` a second, and print what comes; return the rate of right answers in time."""
    through, direct = Outcome(), Outcome()
    probes = [
        asyncio.create_task(probe(stack.balancer, HEALTH, 0.05, through)),
        asyncio.create_task(probe(stack.replicas[0], HEALTH, 0.05, direct)),
    ]
    before = stack.memory_mib()
    outcome = await open_loop(stack.balancer, query, rate, seconds, PATIENCE_S)
    after = stack.memory_mib()
    for task in probes:
        task.cancel()
    right = outcome.seconds.get("right", [])
    goodput = len(right) / seconds
    print(f"  goodput {goodput:.1f}/s")
    for kind, taken in sorted(outcome.seconds.items()):
        print(f"  {kind:18} {len(taken):7}  p50 {share(taken, 0.5):7.1f} ms  "
              f"p99 {share(taken, 0.99):7.1f} ms")  # fmt: skip
    for name, found in (("through the balancer", through), ("at a replica", direct)):
        taken = [each for kind in found.seconds.values() for each in kind]
        print(f"  health {name}: {dict(found.counts())}, p50 {share(taken, 0.5):.1f} ms, "
              f"p99 {share(taken, 0.99):.1f} ms")  # fmt: skip
    limits = [
        line.rpartition(" ")[2]
        for replica in stack.replicas
        for line in httpx.get(
            f"http://{replica[0]}:{replica[1]}/metrics", timeout=60
        ).text.splitlines()
        if line.startswith('millrace_app_lane_limit{lane="query"}')
    ]
    print(f"  limits of the lane query at the end: {', '.join(limits)}")
    print(f"  memory of replicas and balancer: {before:.0f} → {after:.0f} MiB")
    return goodput


async def beside(stack: Stack, what: str, questions: Mapping[str, Question | None]) -> None:
    """Print how long small requests take; None: a query that was never asked."""
    for name, question in questions.items():
        outcome, connections = Outcome(), Connections(stack.balancer)
        for _ in range(100):
            await connections.ask(question or query(), outcome)
            await asyncio.sleep(0.01)
        connections.close()
        taken = outcome.seconds.get("right", [])
        print(f"  {what:34} {name:7} p50 {share(taken, 0.5):6.1f} ms  "
              f"p99 {share(taken, 0.99):6.1f} ms  {dict(outcome.counts())}")  # fmt: skip


async def slow_senders(stack: Stack, path: str, number: int) -> list[asyncio.StreamWriter]:
    """Begin bodies of a gigabyte of which little more than what makes them large comes."""
    writers = []
    for _ in range(number):
        _, writer = await asyncio.open_connection(*stack.balancer)
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {2**30}\r\n\r\n".encode()
            + b"a" * 200_000
        )
        writers.append(writer)
    await asyncio.sleep(0.5)
    return writers


async def starvation(stack: Stack, database_url: str) -> None:
    """Fill one lane after the other, and see how the others fare."""
    others = {"hash": hash_one(), "status": get("/v1/status", b"replica"), "health": HEALTH}
    await beside(stack, "nothing else", {**others, "query": None})
    with psycopg.connect(database_url) as holder:
        holder.execute("CREATE TABLE IF NOT EXISTS held AS SELECT 1 AS n")
        holder.commit()
        holder.execute("LOCK TABLE held")
        body = {"sql": "SELECT count(*) FROM held", "max_staleness_s": 0}
        stuck = post("/v1/query", json.dumps(body).encode(), b"[[1]]")
        outcome, connections = Outcome(), Connections(stack.balancer)
        asked = [asyncio.create_task(connections.ask(stuck, outcome)) for _ in range(64)]
        await asyncio.sleep(1.0)
        await beside(stack, "64 queries that do not end", others)
        holder.rollback()
        await asyncio.gather(*asked)
        connections.close()
        print(f"    what became of the 64: {dict(outcome.counts())}")
    for what, path in (("hash streams", "/v1/hash/stream"), ("uploads", "/v1/uploads")):
        writers = await slow_senders(stack, path, 64)
        await beside(stack, f"64 {what} that do not end", {**others, "query": None})
        for writer in writers:
            writer.close()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of the overload; 60")
    parser.add_argument("--times", type=float, default=5.0, help="of the capacity; 5")
    parser.add_argument("--replicas", type=int, default=2, help="2")
    parser.add_argument("--rounds", type=int, default=1, help="overloads one after another; 1")
    parser.add_argument("--skip-comparison", action="store_true", help="not without limits")
    options = parser.parse_args()
    with own_stack() as urls, uvloop_runner() as runner:
        with running(*urls, options.replicas, {}) as stack:
            print("Capacity")
            part_s = max(3.0, options.seconds / 10)
            able, clients = runner.run(capacity(stack, part_s))
            rate = options.times * able
            for _ in range(options.rounds):
                print(f"Overload: {options.times:g} times {able:.1f}/s for {options.seconds:g} s")
                goodput = runner.run(overload(stack, rate, options.seconds))
                time.sleep(CALM_S)
                print("Capacity afterwards")
                after = runner.run(closed(stack, clients, part_s))
                print(f"Goodput is {goodput / able:.0%} of the capacity before, "
                      f"{2 * goodput / (able + after):.0%} of the mean of before and after"
                )  # fmt: skip
                able = after
            print("Lanes")
            runner.run(starvation(stack, urls[0]))
        if not options.skip_comparison:
            print("The same overload without limits")
            with running(*urls, options.replicas, NO_LIMITS) as stack:
                runner.run(closed_loop(stack.balancer, query, 4, 2.0))
                runner.run(overload(stack, rate, options.seconds))
                print("Capacity afterwards")
                runner.run(closed(stack, clients, part_s))


def uvloop_runner() -> asyncio.Runner:
    """Return what runs coroutines in a light loop."""
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    main()

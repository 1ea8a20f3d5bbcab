"""Scatter-gather of empty tasks: the query lane against plain Redis lists, side by side.

    python bench/scatter_gather.py [--rounds 500] [--tasks 8] [--processes 2] [--slots 2]

Both run on the same embedded server with as many processes and threads, and take turns round by
round.  The baseline is what one would write by hand and knows no leases, deadlines or acks: the
sender pushes all tasks with one RPUSH, each worker thread blocks on BLPOP and pushes its answer,
and the sender pops one answer after another.  The ratio is therefore what those promises cost.
"""

import argparse
import math
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import redis
import structlog

from cli.embedded.place import place_for
from cli.embedded.program import RunningServer
from cli.embedded.valkey import EmbeddedValkey
from tasks.client import connect
from tasks.consumer import Consumer, LaneSlots, worker_name
from tasks.dispatcher import Dispatcher
from tasks.lanes import QUERY
from tasks.settings import QueueSettings

PAYLOAD = b"x" * 200
TIMEOUT_S = 20


def lane_worker(settings: QueueSettings, slots: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    consumer = Consumer(
        connect(settings, "bench"),
        settings,
        name=worker_name(),
        lanes=[LaneSlots(QUERY, slots, lambda _: b"")],
    )
    consumer.run(drain_timeout_s=1.0)


def list_worker(settings: QueueSettings, slots: int) -> None:
    def serve() -> None:
        client = redis.Redis.from_url(settings.url, protocol=2)
        while True:
            popped = client.blpop(["bench:tasks"], timeout=1)
            if popped:
                client.rpush("bench:replies", b"")

    for _ in range(slots):
        threading.Thread(target=serve, daemon=True).start()
    signal.pause()


def lane_round(dispatcher: Dispatcher, tasks: int) -> int:
    with dispatcher.scatter([PAYLOAD] * tasks, timeout_s=TIMEOUT_S) as scatter:
        return sum(1 for _ in scatter.gather())


def list_round(client: redis.Redis, tasks: int) -> int:
    client.rpush("bench:tasks", *[PAYLOAD] * tasks)
    return sum(1 for _ in range(tasks) if client.blpop(["bench:replies"], timeout=TIMEOUT_S))


def measured_ms(run: Callable[[], int], tasks: int) -> float:
    began = time.perf_counter()
    answered = run()
    elapsed_ms = (time.perf_counter() - began) * 1000
    if answered != tasks:
        raise SystemExit(f"only {answered} of {tasks} tasks were answered")
    return elapsed_ms


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def compare(settings: QueueSettings, rounds: int, tasks: int, slots: int) -> None:
    client = redis.Redis.from_url(settings.url, protocol=2)
    dispatcher = Dispatcher(connect(settings, "bench"), settings)
    deadline = time.monotonic() + TIMEOUT_S
    while dispatcher.capacity().slots < slots:
        if time.monotonic() > deadline:
            raise SystemExit("the workers did not start")
        time.sleep(0.05)
    ours: list[float] = []
    baseline: list[float] = []
    warm_up = max(10, rounds // 10)
    for number in range(warm_up + rounds):
        lane = measured_ms(lambda: lane_round(dispatcher, tasks), tasks)
        plain = measured_ms(lambda: list_round(client, tasks), tasks)
        if number >= warm_up:
            ours.append(lane)
            baseline.append(plain)
    print(f"{'':16}{'p50 ms':>10}{'p99 ms':>10}")
    for name, values in (("query lane", ours), ("plain lists", baseline)):
        print(f"{name:16}{percentile(values, 50):10.2f}{percentile(values, 99):10.2f}")
    ratios = [percentile(ours, p) / percentile(baseline, p) for p in (50, 99)]
    print(f"{'ratio':16}{ratios[0]:10.2f}{ratios[1]:10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--tasks", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--slots", type=int, default=2)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mr-bench-"))
    place = place_for(folder)
    server = EmbeddedValkey(place, settings={"appendonly": "no"})
    spawning = multiprocessing.get_context("spawn")
    try:
        with RunningServer(server.program(), folder / "valkey.log"):
            settings = QueueSettings(url=server.url())
            workers = [
                spawning.Process(target=target, args=(settings, arguments.slots), daemon=True)
                for target in (lane_worker, list_worker)
                for _ in range(arguments.processes)
            ]
            for worker in workers:
                worker.start()
            try:
                print(
                    f"{arguments.rounds} rounds of {arguments.tasks} empty tasks, "
                    f"{arguments.processes} processes x {arguments.slots} slots, "
                    f"{os.cpu_count()} cores"
                )
                all_slots = arguments.processes * arguments.slots
                compare(settings, arguments.rounds, arguments.tasks, all_slots)
            finally:
                for worker in workers:
                    worker.kill()
                    worker.join()
    finally:
        place.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

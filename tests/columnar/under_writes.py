"""`python -m tests.columnar.under_writes`: answers over segments while everything changes.

Writers write in every way, keepers build segments anew, cut buckets and clean up, and are killed
now and then; a worker runs fragments; and each answer of the query service is compared with what
PostgreSQL says in the very same snapshot.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cli.embedded.place import place_for
from cli.embedded.program import RunningServer
from cli.embedded.valkey import EmbeddedValkey
from tests.columnar.asking import Asked, Share, ask_share
from tests.columnar.waiting import until_built, until_workers
from tests.columnar.world import GRACE_S, Stand, stand
from tests.columnar.writers import Writer
from tests.oracle.server import own_server

SERVER = {"max_prepared_transactions": "20", "max_connections": "200", "autovacuum": "on"}
STOP_S = 20.0


@dataclass(frozen=True)
class Plan:
    """How much of everything, for how long; `kill_every_s` 0: nobody is killed."""

    seconds: float = 1200.0
    queries: int = 20_000
    processes: int = 2
    threads: int = 2
    writers: int = 4
    keepers: int = 1
    kill_every_s: float = 7.0
    seed: int = 0


@dataclass
class Result:
    """What came of it."""

    asked: Asked = field(default_factory=Asked)
    written: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    seconds: float = 0.0


class Keepers:
    """Processes that keep segments; one of them is killed every few seconds."""

    def __init__(self, made: Stand, plan: Plan) -> None:
        self._made = made
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._processes = [self._started() for _ in range(plan.keepers)]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._kill)
        self.kills = 0

    def _started(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.columnar.keeping", self._made.url]
        log = (self._made.folder.parent / "keeper.log").open("ab")
        with log:
            return subprocess.Popen(
                [*command, str(self._made.folder)], stdout=subprocess.PIPE, stderr=log
            )

    def _kill(self) -> None:
        while not self._is_over.is_set():
            place = self._random.randrange(len(self._processes))
            # not before it is at work: on a busy machine none would ever come to anything
            _await_line(self._processes[place])
            if self._is_over.wait(self._plan.kill_every_s * (0.5 + self._random.random())):
                return
            _end(self._processes[place])
            self._processes[place] = self._started()
            self.kills += 1

    @contextmanager
    def being_killed(self) -> Iterator[None]:
        """Kill them until the context is left."""
        if self._plan.kill_every_s:
            self._thread.start()
        yield
        self._is_over.set()
        if self._plan.kill_every_s:
            self._thread.join()

    def stop(self) -> None:
        """End them."""
        for process in self._processes:
            _end(process)


def _await_line(process: "subprocess.Popen[bytes]") -> None:
    """Wait until a process has said that it is at work, or has ended."""
    assert process.stdout is not None
    process.stdout.readline()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


@contextmanager
def worker(made: Stand, redis_url: str) -> Iterator[None]:
    """Run a worker as a process of its own."""
    settings = made.segments
    environment = {
        **os.environ,
        "DATABASE_URL": made.url,
        "REDIS_URL": redis_url,
        "MILLRACE_QUEUE_BLOCK_S": "0.1",
        "MILLRACE_WORKER_SLOTS": "4",
        "MILLRACE_WORKER_PASSWORD_SLOTS": "0",
        "MILLRACE_WORKER_COLUMNAR_THREADS": "2",
        "MILLRACE_LOG_LEVEL": "warning",
        **{
            f"MILLRACE_SEGMENTS_{name.upper()}": str(getattr(settings, name))
            for name in ("folder", "bucket_rows", "group_rows", "refresh_age_s", "grace_s")
        },
    }
    with (made.folder.parent / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker"], env=environment, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def writing(made: Stand, plan: Plan) -> Iterator[Counter[str]]:
    """Have all writers write; what they did is counted once they have stopped."""
    is_over, done = threading.Event(), Counter[str]()
    writers = [Writer(made.url, plan.seed + number, is_over) for number in range(plan.writers)]
    threads = [threading.Thread(target=writer.run) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        for writer in writers:
            done.update(writer.done)


def run(maintenance_url: str, redis_url: str, folder: Path, plan: Plan) -> Result:
    """Do all of it on a server and a Redis database; `folder` is for the files."""
    result = Result()
    with ExitStack() as stack:
        made = stack.enter_context(stand(maintenance_url, folder / "segments"))
        made.folder.mkdir()
        made.accelerate()
        keepers = Keepers(made, plan)
        stack.callback(keepers.stop)
        stack.enter_context(worker(made, redis_url))
        until_built(made)
        until_workers(redis_url, 1)
        began = time.monotonic()
        with writing(made, plan) as written, keepers.being_killed():
            result.asked = _ask(made, redis_url, plan)
        result.written, result.kills = written, keepers.kills
        result.seconds = time.monotonic() - began
    return result


def _ask(made: Stand, redis_url: str, plan: Plan) -> Asked:
    share_of = partial(
        Share, step=plan.processes, threads=plan.threads, seconds=plan.seconds,
        most=-(-plan.queries // plan.processes),
    )  # fmt: skip
    shares = [share_of(plan.seed + number) for number in range(plan.processes)]
    if plan.processes == 1:
        return ask_share(made, redis_url, shares[0])
    asked = Asked()
    # not forked: psycopg's pool has threads, and a forked one would have none of them
    with multiprocessing.get_context("spawn").Pool(plan.processes) as pool:
        for part in pool.imap_unordered(partial(ask_share, made, redis_url), shares):
            asked.merge(part)
    return asked


@contextmanager
def own_valkey() -> Iterator[str]:
    """Start a Valkey of one's own; yields the URL of a database."""
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    try:
        server = EmbeddedValkey(place_for(folder), settings={"appendonly": "no"})
        with RunningServer(server.program(), folder / "valkey.log"):
            yield server.url(0)
    finally:
        place_for(folder).remove()
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the exit status is the verdict."""
    parser = argparse.ArgumentParser(prog="python -m tests.columnar.under_writes")
    parser.description = (__doc__ or "").partition("\n")[0]
    defaults = Plan()
    for name in ("seconds", "queries", "processes", "threads", "writers", "keepers", "seed"):
        default = getattr(defaults, name)
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--kill-every-s", type=float, default=defaults.kill_every_s)
    plan = Plan(**vars(parser.parse_args(arguments)))
    # as for Ctrl-C: servers and processes are ended on the way out
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="mr-"))
    try:
        with own_server(SERVER) as server, own_valkey() as redis_url:
            result = run(server.url("postgres"), redis_url, folder, plan)
    finally:
        for log in sorted(folder.glob("*.log")):
            print(f"--- {log.name}, its end\n{log.read_text()[-1500:]}")
        shutil.rmtree(folder, ignore_errors=True)
    return _verdict(result, plan)


def _verdict(result: Result, plan: Plan) -> int:
    asked = result.asked
    for reason, count in asked.not_compared.most_common(40):
        print(f"{count:7} not compared: {reason}")
    print(f"written: {dict(result.written)}, keepers killed: {result.kills}, grace {GRACE_S} s")
    for mismatch in asked.mismatches[:10]:
        print(mismatch, end="\n\n")
    enough = asked.over_segments >= plan.queries
    print(
        f"compared: {dict(asked.compared)}, {asked.kept_partials} partials were kept ones; "
        f"{len(asked.mismatches)} mismatches, {result.seconds:.0f} s: "
        f"{'PASSED' if enough and not asked.mismatches else 'FAILED'}"
    )
    return 0 if enough and not asked.mismatches else 1


if __name__ == "__main__":
    sys.exit(main())

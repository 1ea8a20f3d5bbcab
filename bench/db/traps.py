"""The two traps of a circuit breaker between threads: trial calls, and calls one after the other.

    python bench/db/traps.py

Brings a PostgreSQL of its own.  Half-open trap: 50 threads at once at a database that was away and
may be tried again; how many calls reach it.  Serial trap: 5 queries of 0.2 s at once in one
process; how long all of them take.  Each also with what pybreaker has for it.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pybreaker

from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.program import RunningServer
from db.breaker import Breaker, BreakerRules
from db.database import Database
from db.errors import DatabaseError
from db.sqlstate import judge

CALLERS = 50
SERIAL = 5
SLEEP = "SELECT pg_sleep(0.2)"


@contextmanager
def own_postgres() -> Iterator[tuple[str, RunningServer]]:
    """Give the URL of a PostgreSQL, and the server, which may be stopped and started."""
    folder = Path(tempfile.mkdtemp(prefix="mr-bench-"))
    place = place_for(folder)
    postgres = EmbeddedPostgres(place)
    try:
        postgres.initialise()
        with RunningServer(postgres.program(), folder / "postgres.log") as server:
            yield postgres.url("postgres"), server
    finally:
        place.remove()
        shutil.rmtree(folder, ignore_errors=True)


def together(count: int, call: Callable[[], None]) -> float:
    """Call in so many threads at the same moment; return how long all took, in seconds."""
    start = threading.Barrier(count + 1)

    def run() -> None:
        start.wait()
        call()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


def trials_of_ours(url: str, server: RunningServer) -> int:
    """Count the calls of 50 that reach PostgreSQL when the breaker may try again."""
    rules = BreakerRules(failures=1, reset_s=0.2, reset_max_s=0.2)
    changes: list[str] = []
    breaker = Breaker(judge, rules, listeners=[lambda _old, new, _error: changes.append(new)])
    refused = threading.Semaphore(0)
    trials = 0
    with Database(url, breaker=breaker, name="bench") as database:
        server.stop()
        with suppress(DatabaseError), database.connection():
            pass
        server.start()
        time.sleep(rules.reset_s)  # the breaker's own time, which is real here

        def call() -> None:
            nonlocal trials
            try:
                with breaker.guard():
                    trials += 1
                    for _ in range(CALLERS - 1):  # until every other caller has been answered
                        refused.acquire(timeout=30)
            except DatabaseError:
                refused.release()

        together(CALLERS, call)
        with database.connection() as connection:
            connection.execute("SELECT 1")
    return trials


def trials_of_pybreaker() -> int:
    """Count the same with pybreaker's `calling()`."""
    circuit = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0)
    circuit.half_open()
    inside = threading.Semaphore(0)
    entered = 0
    lock = threading.Lock()

    def call() -> None:
        nonlocal entered
        with suppress(pybreaker.CircuitBreakerError), circuit.calling():
            with lock:
                entered += 1
            inside.acquire(timeout=0.5)

    together(CALLERS, call)
    return entered


def serial_of_ours(url: str) -> float:
    """Return the seconds that 5 queries of 0.2 s take together."""
    breaker = Breaker(judge)

    def call() -> None:
        with database.connection() as connection:
            connection.execute(SLEEP)

    with Database(url, breaker=breaker, name="bench") as database:
        with ExitStack() as warm:
            for _ in range(SERIAL):
                warm.enter_context(database.connection())
        return together(SERIAL, call)


def serial_of_pybreaker(url: str) -> float:
    """Return the same with pybreaker's `call()`."""
    circuit = pybreaker.CircuitBreaker()
    with Database(url, breaker=Breaker(judge), name="bench") as database:
        with ExitStack() as warm:
            for _ in range(SERIAL):
                warm.enter_context(database.connection())

        def query() -> None:
            with database.connection() as connection:
                connection.execute(SLEEP)

        return together(SERIAL, lambda: circuit.call(query))


def main() -> None:
    """Print both."""
    with own_postgres() as (url, server):
        print(f"half-open: {CALLERS} threads at a recovering database, trial calls")
        print(f"  millrace             {trials_of_ours(url, server):>6}")
        print(f"  pybreaker calling()  {trials_of_pybreaker():>6}")
        print(f"serial: {SERIAL} concurrent queries of 0.2 s in one process, seconds")
        print(f"  millrace             {serial_of_ours(url):>6.2f}")
        print(f"  pybreaker call()     {serial_of_pybreaker(url):>6.2f}")


if __name__ == "__main__":
    main()

"""Tasks that leave one row each, workers for them, and the account of the rows in the end.

Nothing in the table would refuse a second row of the same task.
"""

import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from cli.drill.checker import Account, check
from cli.drill.event import Attempt, Event, Tally
from db.database import Database
from db.own import own_database
from db.pool import Connection
from db.reader import reader_database
from db.settings import DatabaseSettings
from jobs.context import TaskContext
from jobs.kind import Done, Kind
from jobs.ledger import worker_session
from jobs.record import NewTask, TaskClaim
from jobs.retry import RetryPolicy
from jobs.settings import JobSettings
from tasks.client import connect
from tasks.consumer import Consumer, LaneSlots, worker_name
from tasks.lanes import BULK, QUERY
from tasks.settings import QueueSettings
from worker.fragment_runner import FragmentRunner
from worker.wiring import bulk_runner

TABLE = "CREATE TABLE public.effects (number int)"
EFFECTS = "SELECT number, count(*) FROM public.effects GROUP BY number"
SETTINGS = JobSettings(lease_s=3.0, poll_s=1.0)
OWN_CONNECTIONS = 8  # of a worker: tasks hold one only while they leave their row


class Counted(Kind):
    """Tasks that take a moment and leave a row each."""

    name = "counted"
    retry = RetryPolicy(base_s=0.1, factor=2.0, cap_s=2.0, attempts=20)

    def __init__(self, random_share: Callable[[], float]) -> None:
        """Keep the source of chance, which tells how long a task takes."""
        self._random_share = random_share

    def plan(self, parameters: Mapping[str, Any], _context: TaskContext) -> Done:
        """Add the tasks."""
        mean_s = parameters["mean_s"]
        numbers = range(parameters["tasks"])
        return Done(adds=[NewTask("work", {"effect": n, "mean_s": mean_s}) for n in numbers])

    def run(self, task: TaskClaim, _context: TaskContext) -> Done:
        """Work for as long as the job says, by chance half as long or half as much more."""
        time.sleep(float(task.parameters["mean_s"]) * (0.5 + self._random_share()))

        def effects(connection: Connection) -> None:
            number = str(task.parameters["effect"])
            connection.execute("INSERT INTO public.effects VALUES ($1::int)", [number])

        return Done(effects, rows=1)


def work(database_url: str, redis_url: str, bulk_slots: int, query_slots: int) -> None:
    """Be one worker until SIGTERM, or SIGKILL; without query slots, for bulk tasks alone."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    queue = QueueSettings(url=redis_url)
    settings = DatabaseSettings(
        url=database_url, own_pool_size=OWN_CONNECTIONS, pool_size=max(1, query_slots)
    )
    name, client = worker_name(), connect(queue, "bench")
    with (
        own_database(settings, "bench", session=worker_session(SETTINGS.lease_s)) as own,
        reader_database(settings, "bench") as reader,
    ):
        kind = Counted(random.Random().random)
        runner = bulk_runner(
            own, client, [kind], SETTINGS, name=name, slots=bulk_slots, block_s=queue.block_s
        )
        runner.start()
        if query_slots:
            fragments = LaneSlots(QUERY, query_slots, FragmentRunner(reader).run)
            consumer = Consumer(
                client, queue, name=name, lanes=[fragments], also={BULK: runner.work}
            )
            thread = threading.Thread(target=consumer.run, kwargs={"drain_timeout_s": 5.0})
            thread.start()
            signal.sigwait({signal.SIGTERM})
            consumer.stop()
            thread.join()
        else:
            signal.sigwait({signal.SIGTERM})
        runner.drain(5.0)


def account_of(own: Database, tasks: int) -> Account:
    """Return what became of the effects of all tasks, each of which was accepted."""
    names = [f"task {number}" for number in range(tasks)]
    history = [_event(Attempt(name, once=True)) for name in names]
    with own.connection() as connection:
        rows = connection.execute(EFFECTS).fetchall()
    found = {f"task {number}": int(count or 0) for number, count in rows}
    history += [_event(Tally(name, found.get(name, 0))) for name in {*names, *found}]
    return check(history)


def show(account: Account) -> None:
    """Print it."""
    for name in ("acknowledged", "ok", "lost", "unexpected", "duplicated", "recovered"):
        print(f"{name:>14}: {getattr(account, name).total()}")


def _event(value: Attempt | Tally) -> Event:
    """Return an entry of the history; of effects, neither its number nor its times count."""
    return Event(0, Counted.name, 0.0, 0.0, "ok", value)

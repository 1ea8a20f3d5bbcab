"""A kind whose tasks do what their parameters say, and a process that runs it until killed."""

import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from db.database import Database
from db.own import own_database
from db.pool import Connection
from db.settings import DatabaseSettings
from jobs.context import TaskContext
from jobs.errors import PermanentFailure
from jobs.kind import Done, Effects, Kind
from jobs.ledger import worker_session
from jobs.record import NewTask, TaskClaim
from jobs.retry import RetryPolicy
from jobs.settings import JobSettings
from tasks.client import connect
from tasks.consumer import worker_name
from tasks.settings import QueueSettings
from worker.wiring import bulk_runner

EFFECTS = """CREATE TABLE effects (job_id text, number int, attempt int, token bigint);
    CREATE TABLE broken (name text PRIMARY KEY)"""


class Programmed(Kind):
    """Plans one task for each dictionary in `tasks`; each leaves one row in `effects`.

    Of a task: `transient`: fails on its first so many attempts; `broken`: fails for good while
    that name is in the table `broken`; `wait_s`: waits; `waits_for`: the path of a file that it
    waits for; `sleeps_once`: the path of a file, without which it makes it and sleeps in a
    statement, for minutes; `stall`: the path of a file that it makes
    once its effects are written, and then never ends, on its first attempt; `adds`: further tasks;
    `says`: lines for its log; `sleep_s`: waits in a statement; `ends_session`: ends that of its
    own connection; `fails`: fails with this text.  It reports half of its row when it begins.
    """

    name = "programmed"
    retry = RetryPolicy(base_s=0.02, factor=2.0, cap_s=0.1, attempts=4)

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, parameters: Mapping[str, Any], context: TaskContext) -> Done:
        tasks = [_task(task) for task in parameters["tasks"]]
        return Done(adds=tasks, expected_rows=len(tasks))

    def run(self, task: TaskClaim, context: TaskContext) -> Done:
        todo = task.parameters
        for line in todo.get("says", []):
            context.log(line)
        context.report(1, 5)
        if task.attempt <= todo.get("transient", 0):
            raise ConnectionResetError(f"attempt {task.attempt} of row {task.number}")
        if "broken" in todo and self._is_broken(todo["broken"]):
            raise PermanentFailure(f"service '{todo['broken']}' says no to {task.number}", "Broken")
        context.pause(todo.get("wait_s", 0.0))
        while "waits_for" in todo and not Path(todo["waits_for"]).exists():
            context.pause(0.01)
        if "sleeps_once" in todo and not Path(todo["sleeps_once"]).exists():
            Path(todo["sleeps_once"]).touch()
            self._sleep(300.0, context)
        if "sleep_s" in todo:
            self._sleep(todo["sleep_s"], context)
        if todo.get("ends_session"):
            self._end_session()
        if "fails" in todo:
            raise ValueError(todo["fails"])
        return Done(
            self._effects(task),
            [_task(added) for added in todo.get("adds", [])],
            rows=1,
            bytes=10,
            result=todo.get("result"),
        )

    def _is_broken(self, name: str) -> bool:
        with self._database.connection() as connection:
            sql = "SELECT FROM public.broken WHERE name = $1"
            return connection.execute(sql, [name]).fetchone() is not None

    def _sleep(self, seconds: float, context: TaskContext) -> None:
        with (
            self._database.connection() as connection,
            context.cancelling(lambda: connection.cancel_safe(timeout=1.0)),
        ):
            connection.execute("SELECT pg_sleep($1)", [str(seconds)])

    def _end_session(self) -> None:
        with self._database.connection() as connection:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    def _effects(self, task: TaskClaim) -> Effects:
        def write(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO public.effects VALUES ($1, $2::int, $3::int, $4::int8)",
                [task.job_id, str(task.number), str(task.attempt), str(task.token)],
            )
            if "stall" in task.parameters and task.attempt == 1:
                Path(task.parameters["stall"]).touch()
                while True:
                    time.sleep(1)

        return write


class Tolerant(Programmed):
    """Goes on in spite of dead letters."""

    name = "tolerant"
    tolerates_dead_letters = True


def _task(todo: Mapping[str, Any]) -> NewTask:
    return NewTask("act", todo, is_last=bool(todo.get("last")))


def main() -> None:
    """Serve until SIGTERM."""
    queue = QueueSettings()
    own = own_database(DatabaseSettings(), "worker", session=worker_session(JobSettings().lease_s))
    slots = int(sys.argv[1])
    runner = bulk_runner(
        own, connect(queue, "test"), [Programmed(own), Tolerant(own)], JobSettings(),
        name=worker_name(), slots=slots, block_s=queue.block_s,
    )  # fmt: skip
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with own:
        runner.start()
        signal.sigwait({signal.SIGTERM})
        runner.drain(5.0)


if __name__ == "__main__":
    main()

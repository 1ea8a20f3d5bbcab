"""Builds a worker, runs it, and stops it in order."""

import os
import signal
import sys
import threading

import structlog
from pydantic import ValidationError

from db.database import Database
from db.errors import DatabaseError
from db.reader import reader_database
from db.settings import DatabaseSettings
from tasks.client import connect
from tasks.consumer import Consumer, worker_name
from tasks.settings import QueueSettings
from worker.fragment_runner import FragmentRunner
from worker.logs import configure_logs
from worker.settings import WorkerSettings

BAD_SETTINGS = 2
NOT_DRAINED = 1
DATABASE_RETRY_S = 0.5

_STOPS = {signal.SIGTERM, signal.SIGINT}
_ENDED = signal.SIGUSR1  # sent by our own thread when it is done

_log = structlog.get_logger(__name__)


class Worker:
    """The worker's life, in a thread of its own: the main thread waits for signals."""

    def __init__(self, database: Database, consumer: Consumer, drain_timeout_s: float) -> None:
        self._database = database
        self._consumer = consumer
        self._drain_timeout_s = drain_timeout_s
        self._stopping = threading.Event()
        self.exit_code = NOT_DRAINED

    def stop(self) -> None:
        """Take nothing new, finish, leave."""
        self._stopping.set()
        self._consumer.stop()

    def run(self) -> None:
        """Serve until stopped; then tell the main thread."""
        try:
            with self._database:
                self._await_database()
                if self._consumer.run(drain_timeout_s=self._drain_timeout_s):
                    self.exit_code = 0
        finally:
            os.kill(os.getpid(), _ENDED)

    def _await_database(self) -> None:
        """Take no tasks before PostgreSQL answers: another worker may reach it."""
        waiting = False
        while not self._stopping.is_set():
            try:
                with self._database.connection():
                    break
            except DatabaseError as error:
                if not waiting:
                    _log.warning("waiting for PostgreSQL", error=str(error))
                waiting = True
                self._stopping.wait(DATABASE_RETRY_S)
        if waiting and not self._stopping.is_set():
            _log.info("PostgreSQL answers")


def main() -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code.

    The first signal drains, a second one ends it at once.  2: the settings are wrong.
    """
    try:
        settings = WorkerSettings()
        queue_settings = QueueSettings()
        database_settings = DatabaseSettings().model_copy(update={"pool_size": settings.slots})
    except ValidationError as error:
        print(f"worker: {_in_one_line(error)}", file=sys.stderr)  # noqa: T201 - no log yet
        return BAD_SETTINGS
    configure_logs(settings)
    # Signals are waited for, not handled: a handler might run while its own thread holds a lock.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS | {_ENDED})
    database = reader_database(database_settings, "worker")
    name = worker_name()
    consumer = Consumer(
        connect(queue_settings, f"millrace/{name}"),
        queue_settings,
        name=name,
        slots=settings.slots,
        handler=FragmentRunner(database).run,
    )
    worker = Worker(database, consumer, settings.drain_timeout_s)
    thread = threading.Thread(target=worker.run, name="worker", daemon=True)
    thread.start()
    stopping = False
    while (received := signal.sigwait(_STOPS | {_ENDED})) != _ENDED:
        if stopping:
            _log.warning("ended by a second signal")
            return NOT_DRAINED
        stopping = True
        _log.info("stopping", signal=signal.Signals(received).name)
        worker.stop()
    thread.join()
    return worker.exit_code


def _in_one_line(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
    ]
    return "; ".join(problems)

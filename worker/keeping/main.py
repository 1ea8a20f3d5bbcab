"""Builds a keeper of segments, runs it, and ends it with its worker."""

import os
import signal
import sys
import threading
import time

from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from db.tracking.errors import NameMalformed
from db.tracking.names import parse_name
from segments.folder import SegmentFolder
from segments.settings import SegmentSettings
from telemetry.logs import configure_logs
from worker.keeping.life import KeeperLife
from worker.keeping.messages import ReportsBySending
from worker.settings import WorkerSettings

# a build that waits for PostgreSQL hears of the end only then; what it leaves, others clean up
LAST_S = 5.0
READING_CONNECTIONS = 1
OWN_CONNECTIONS = 1


def main() -> int:
    """Keep segments until SIGTERM, or the end of the standard input, which a worker holds open.

    The argument is the descriptor that reports are written to.
    """
    settings = SegmentSettings()
    if settings.folder is None:
        raise SystemExit("MILLRACE_SEGMENTS_FOLDER is not set")
    worker_settings = WorkerSettings()
    configure_logs(worker_settings.log_level, worker_settings.log_format)
    os.nice(settings.nice)
    stopping = threading.Event()

    def stop(*_: object) -> None:
        if not stopping.is_set():
            threading.Thread(target=_end_late, name="last", daemon=True).start()
        stopping.set()

    # the worker waits for its signals, and whom it starts has them blocked
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=_await_worker, name="worker", daemon=True).start()

    database = DatabaseSettings().model_copy(
        update={
            "pool_size": READING_CONNECTIONS,
            "own_pool_size": OWN_CONNECTIONS,
            # the builder sets limits of its own
            "statement_timeout_s": settings.build_limit_s,
        }
    )
    owner = own_database(database, "keeper")
    reader = reader_database(database, "keeper")
    reports = ReportsBySending(int(sys.argv[1]))
    folder = SegmentFolder(settings.folder, settings.max_mb * 1024**2)
    wanted = _wanted(settings, database.schema_name, reports)
    life = KeeperLife(owner, folder, wanted, stopping, settings.round_s)
    with owner, reader:
        if life.await_work():
            # Arrow takes tens of megabytes: nothing for a worker without accelerated tables
            from segments.rounds import Rounds
            from worker.keeping.file_formats import file_format

            rounds = Rounds(
                owner, reader, folder, settings, reports, wanted=wanted,
                file_format=file_format(settings.format), goes_on=lambda: not stopping.is_set(),
            )  # fmt: skip
            life.make_rounds(rounds)
    return 0


def _wanted(
    settings: SegmentSettings, schema: str, reports: ReportsBySending
) -> list[tuple[str, str]]:
    found = []
    for name in settings.accelerate:
        try:
            found.append(parse_name(name, schema))
        except NameMalformed as error:
            reports.event("acceleration_refused", str(error), table=name, code="name")
    return found


def _await_worker() -> None:
    """Stop when the worker is gone, however it went."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _end_late() -> None:
    time.sleep(LAST_S)
    os._exit(1)

"""Builds a worker, runs it, and stops it in order."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from db.breaker import BreakerListener
from db.breaker_board import BreakerBoard
from db.breaker_watch import BreakerWatch
from db.database import Database
from db.errors import DatabaseError
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from hashing.passwords.settings import PasswordLimits
from jobs.ledger import worker_session
from jobs.settings import HashKeySettings, JobSettings, UploadSettings
from jobs.uploads import Uploads
from segments.settings import SegmentSettings
from tasks.client import connect
from tasks.consumer import Consumer, LaneSlots, worker_name
from tasks.events import OnEvent
from tasks.lanes import BULK, QUERY
from tasks.settings import QueueSettings
from telemetry.carrier import Continuations
from telemetry.logs import configure_logs
from telemetry.metrics_server import CannotListen, MetricsServer
from telemetry.settings import TracingSettings
from telemetry.wiring import build_tracer
from worker.bulk_runner import BulkRunner
from worker.columnar_wiring import build_columnar_runner
from worker.events import Events
from worker.fragment_runner import FragmentRunner
from worker.keeping.metrics import KeepingMetrics
from worker.keeping.process import KeeperProcess
from worker.kinds import Tools, job_kinds
from worker.metrics import DiskCollector, PoolCollector, WorkerMetrics
from worker.settings import WorkerSettings
from worker.task_scope import within_request
from worker.wiring import breaker_listener, bulk_runner, password_lane, tested_digester

BAD_SETTINGS = 2
NOT_DRAINED = 1
DATABASE_RETRY_S = 0.5
KEEPING_CONNECTIONS = 3  # of the bulk lane: one renews leases, two reconcile

_STOPS = {signal.SIGTERM, signal.SIGINT}
_ENDED = signal.SIGUSR1  # sent by our own thread when it is done

_log = structlog.get_logger(__name__)


class Worker:
    """The worker's life, in a thread of its own: the main thread waits for signals.

    The first of `pools` is what queries need.
    """

    def __init__(
        self,
        pools: Sequence[Database],
        consumer: Consumer,
        bulk: BulkRunner,
        watch: BreakerWatch,
        drain_timeout_s: float,
        emit: OnEvent,
        keeper: KeeperProcess | None = None,
    ) -> None:
        self._emit = emit
        self._keeper = keeper
        self._waiting = True
        self._database = pools[0]
        self._pools = pools
        self._consumer = consumer
        self._bulk = bulk
        self._watch = watch
        self._drain_timeout_s = drain_timeout_s
        self._stopping = threading.Event()
        self._stopped_at = 0.0
        self.exit_code = NOT_DRAINED

    def health(self) -> Mapping[str, Any]:
        """Return what `/health` tells: what the worker does, and its pools' breakers."""
        doing = "waiting" if self._waiting else "working"
        breakers = {status.name: status.breaker for status in (one.status() for one in self._pools)}
        return {
            "status": "draining" if self._stopping.is_set() else doing,
            "breakers": breakers,
        }

    def stop(self, cause: str) -> None:
        """Take nothing new, finish, leave."""
        self._emit("worker_draining", cause, tasks=self._bulk.busy)
        self._stopped_at = time.monotonic()
        self._stopping.set()
        self._consumer.stop()
        self._bulk.stop()
        if self._keeper is not None:
            self._keeper.stop()

    def run(self) -> None:
        """Serve until stopped; then tell the main thread."""
        try:
            with contextlib.ExitStack() as open_pools:
                for pool in self._pools:
                    open_pools.enter_context(pool)
                self._watch.start()
                open_pools.callback(self._watch.stop)
                if self._keeper is not None:  # as the bulk lane
                    self._keeper.start()
                    open_pools.callback(self._keeper.join)
                self._bulk.start()  # at once: it needs no Redis, and waits for PostgreSQL itself
                self._await_database()
                self._waiting = False
                drained = self._consumer.run(drain_timeout_s=self._drain_timeout_s)
                # has been stopping since the consumer has, so this is no second waiting time
                if self._bulk.drain(self._remaining_s()) and drained:
                    self.exit_code = 0
        finally:
            os.kill(os.getpid(), _ENDED)

    def _remaining_s(self) -> float:
        return max(0.0, self._drain_timeout_s - (time.monotonic() - self._stopped_at))

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
        job_settings = JobSettings()
        hash_keys = HashKeySettings().decoded()
        upload_limits = UploadSettings().limits
        password_limits = PasswordLimits()
        tracing = TracingSettings()
        segment_settings = SegmentSettings()
        database_settings = DatabaseSettings().model_copy(
            update={
                "pool_size": settings.slots,
                "own_pool_size": settings.bulk_slots + KEEPING_CONNECTIONS,
            }
        )
    except ValidationError as error:
        print(f"worker: {_in_one_line(error)}", file=sys.stderr)  # noqa: T201 - no log yet
        return BAD_SETTINGS
    configure_logs(settings.log_level, settings.log_format)
    # Signals are waited for, not handled: a handler might run while its own thread holds a lock.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS | {_ENDED})
    registry = CollectorRegistry()
    events, metrics = Events(registry), WorkerMetrics(registry)

    tracer = build_tracer(tracing, "millrace-worker", metrics.spans_went)
    continuations = Continuations(tracer)

    def listeners(pool: str) -> list[BreakerListener]:
        return [breaker_listener(events.emit, pool)]

    database = reader_database(database_settings, "worker", listeners("worker"))
    own = own_database(
        database_settings,
        "worker",
        listeners("worker-own"),
        session=worker_session(job_settings.lease_s),
    )
    bulk_settings = database_settings.model_copy(
        # what a job takes hours for, is no mistake; each kind bounds its own statements
        update={
            "pool_size": max(1, settings.bulk_slots) * job_settings.connections,
            "statement_timeout_s": 0.0,
        }
    )
    bulk_reader = reader_database(bulk_settings, "worker-bulk", listeners("worker-bulk"))
    others = {
        database: reader_database(
            bulk_settings,
            f"worker-{database}",
            listeners(f"worker-{database}"),
            url=url.get_secret_value(),
        )
        for database, url in job_settings.databases.items()
    }
    try:
        over_segments = build_columnar_runner(settings, segment_settings, metrics.scanned)
    except OSError as error:
        print(f"worker: MILLRACE_SEGMENTS_FOLDER: {error}", file=sys.stderr)  # noqa: T201
        return BAD_SETTINGS
    name = worker_name()
    client = connect(queue_settings, f"millrace/{name}")
    lanes = [
        replace(
            one,
            handler=metrics.measured(
                one.lane, within_request(continuations, one.lane, one.handler)
            ),
        )
        for one in (
            LaneSlots(QUERY, settings.slots, FragmentRunner(database, over_segments).run),
            *password_lane(settings, own, password_limits.limits()),
        )
    ]
    bulk = bulk_runner(
        own,
        client,
        job_kinds(
            Tools(
                own,
                bulk_reader,
                others,
                job_settings,
                hash_keys,
                tested_digester(),
                Uploads(own, upload_limits),
            )
        ),
        job_settings,
        name=name,
        slots=settings.bulk_slots,
        block_s=queue_settings.block_s,
        pools=[bulk_reader],
        on_event=events.emit,
        on_end=partial(metrics.ended, BULK),
        continuations=continuations,
    )
    consumer = Consumer(
        client,
        queue_settings,
        name=name,
        lanes=lanes,
        also={BULK: bulk.work} if settings.bulk_slots else {},
        on_event=events.emit,
        reads_segments=over_segments is not None,
    )
    for one in lanes:
        metrics.has_slots(one.lane, one.slots)
    metrics.has_slots(BULK, settings.bulk_slots)
    metrics.watch_busy(BULK, lambda: bulk.busy)
    pools = [database, own, bulk_reader, *others.values()]
    registry.register(PoolCollector(pools))
    registry.register(DiskCollector(settings.disk_path))
    # the further databases of jobs are others' servers: what is said of PostgreSQL is not of them
    breakers = {pool.name: pool.breaker for pool in (database, own, bulk_reader)}
    watch = BreakerWatch(
        BreakerBoard(client, "worker"),
        breakers,
        on_order=lambda mode, before, reason: events.emit(
            "breaker_commanded", reason or "the order is over", mode=mode, before=before
        ),
    )
    keeper = None
    if segment_settings.folder is not None and settings.keeper == "on":
        keeper = KeeperProcess(KeepingMetrics(registry), events.emit)
    worker = Worker(pools, consumer, bulk, watch, settings.drain_timeout_s, events.emit, keeper)
    if settings.metrics_listen != "off":
        try:
            server = MetricsServer(settings.metrics_listen, registry, worker.health)
        except CannotListen as error:
            print(f"worker: MILLRACE_WORKER_METRICS_LISTEN: {error}", file=sys.stderr)  # noqa: T201
            return BAD_SETTINGS
        server.start()
        _log.info("metrics served", address=server.address)
    thread = threading.Thread(target=worker.run, name="worker", daemon=True)
    thread.start()
    stopping = False
    while (received := signal.sigwait(_STOPS | {_ENDED})) != _ENDED:
        if stopping:
            _log.warning("ended by a second signal")
            return NOT_DRAINED
        stopping = True
        worker.stop(signal.Signals(received).name)
    thread.join()
    if tracer is not None:
        tracer.stop()
    return worker.exit_code


def _in_one_line(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
    ]
    return "; ".join(problems)

"""Builds a worker, runs it, and stops it in order."""

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import redis
import structlog
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from db.breaker import BreakerListener, BreakerState
from db.breaker_board import BreakerBoard
from db.breaker_watch import BreakerWatch
from db.database import Database
from db.errors import DatabaseError
from db.own import own_database
from db.reader import reader_database
from db.sealing_key import SealingKey
from db.settings import DatabaseSettings
from hashing.digester import Digester
from hashing.known_answers import self_test
from hashing.passwords.known_answers import self_test as password_self_test
from hashing.passwords.scheme import Limits
from hashing.passwords.settings import PasswordLimits
from jobs.clean_up import CleanUp
from jobs.kind import Kind
from jobs.ledger import Ledger, worker_session
from jobs.reconciler import Reconciler
from jobs.settings import HashKeySettings, JobSettings, UploadSettings
from jobs.upload_clean_up import UploadCleanUp
from jobs.uploads import Uploads
from tasks.bell import Bell
from tasks.client import connect
from tasks.consumer import Consumer, LaneSlots, worker_name
from tasks.events import OnEvent, unheard
from tasks.lanes import BULK, PASSWORD, QUERY
from tasks.settings import QueueSettings
from worker.bulk_runner import BulkRunner
from worker.events import Events
from worker.fragment_runner import FragmentRunner
from worker.kinds import Tools, job_kinds
from worker.logs import configure_logs
from worker.metrics import PoolCollector, WorkerMetrics
from worker.metrics_server import CannotListen, MetricsServer
from worker.password_runner import PasswordRunner, lower_priority
from worker.settings import WorkerSettings

BAD_SETTINGS = 2
NOT_DRAINED = 1
DATABASE_RETRY_S = 0.5
BREAKER_EVENTS: Mapping[BreakerState, str] = {
    "open": "breaker_opened",
    "half_open": "breaker_half_opened",
    "closed": "breaker_closed",
}
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
    ) -> None:
        self._emit = emit
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

    def run(self) -> None:
        """Serve until stopped; then tell the main thread."""
        try:
            with contextlib.ExitStack() as open_pools:
                for pool in self._pools:
                    open_pools.enter_context(pool)
                self._watch.start()
                open_pools.callback(self._watch.stop)
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
        database_settings = DatabaseSettings().model_copy(
            update={
                "pool_size": settings.slots,
                "own_pool_size": settings.bulk_slots + KEEPING_CONNECTIONS,
            }
        )
    except ValidationError as error:
        print(f"worker: {_in_one_line(error)}", file=sys.stderr)  # noqa: T201 - no log yet
        return BAD_SETTINGS
    configure_logs(settings)
    # Signals are waited for, not handled: a handler might run while its own thread holds a lock.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS | {_ENDED})
    registry = CollectorRegistry()
    events, metrics = Events(registry), WorkerMetrics(registry)

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
    name = worker_name()
    client = connect(queue_settings, f"millrace/{name}")
    lanes = [
        replace(one, handler=metrics.measured(one.lane, one.handler))
        for one in (
            LaneSlots(QUERY, settings.slots, FragmentRunner(database).run),
            *password_lane(settings, own, password_limits.limits()),
        )
    ]
    consumer = Consumer(
        client,
        queue_settings,
        name=name,
        lanes=lanes,
        also=[BULK] if settings.bulk_slots else [],
        on_event=events.emit,
    )
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
        on_event=events.emit,
        on_end=partial(metrics.ended, BULK),
    )
    for one in lanes:
        metrics.has_slots(one.lane, one.slots)
    metrics.has_slots(BULK, settings.bulk_slots)
    metrics.watch_busy(BULK, lambda: bulk.busy)
    pools = [database, own, bulk_reader, *others.values()]
    registry.register(PoolCollector(pools))
    # the further databases of jobs are others' servers: what is said of PostgreSQL is not of them
    breakers = {pool.name: pool.breaker for pool in (database, own, bulk_reader)}
    watch = BreakerWatch(
        BreakerBoard(client, "worker"),
        breakers,
        on_order=lambda mode, before, reason: events.emit(
            "breaker_commanded", reason or "the order is over", mode=mode, before=before
        ),
    )
    worker = Worker(pools, consumer, bulk, watch, settings.drain_timeout_s, events.emit)
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
    return worker.exit_code


def breaker_listener(emit: OnEvent, pool: str) -> BreakerListener:
    """Return what tells of each change of the breaker of `pool`."""

    def changed(old: BreakerState, new: BreakerState, error: BaseException | None) -> None:
        emit(BREAKER_EVENTS[new], str(error or f"was {old}").strip(), pool=pool)

    return changed


def password_lane(settings: WorkerSettings, own: Database, limits: Limits) -> list[LaneSlots]:
    """Return what a worker takes of the password lane, if anything."""
    if settings.password_slots == 0:
        return []
    failures = password_self_test()
    for scheme, reason in failures.items():
        _log.error("password scheme out of service", scheme=scheme, reason=reason)
    handler = PasswordRunner(SealingKey(own).get, limits, failures).run
    return [
        LaneSlots(
            PASSWORD,
            settings.password_slots,
            handler,
            prepare=lambda: lower_priority(settings.password_nice),
        )
    ]


def bulk_runner(
    own: Database,
    client: redis.Redis,
    kinds: Sequence[Kind],
    settings: JobSettings,
    *,
    name: str,
    slots: int,
    block_s: float,
    on_event: OnEvent = unheard,
    on_end: Callable[[str, float], None] = lambda _outcome, _seconds: None,
) -> BulkRunner:
    """Return a worker's bulk lane, not started."""
    ledger = Ledger(own, lease_s=settings.lease_s, retention_s=settings.retention_s)
    # of its own, so that nobody who counts on the order of the shared one's numbers is disturbed
    random_share = random.Random().random  # noqa: S311 - to spread attempts and rounds
    policies = {kind.name: settings.policy(kind.name, kind.retry) for kind in kinds}
    reconciler = Reconciler(
        own,
        ledger,
        [CleanUp(own, key_retention_s=settings.key_retention_s), UploadCleanUp(own)],
        Bell(client),
        policies,
        random_share,
        on_event,
    )
    return BulkRunner(
        ledger,
        reconciler,
        client,
        kinds,
        settings,
        name=name,
        slots=slots,
        block_s=block_s,
        random_share=random_share,
        on_event=on_event,
        on_end=on_end,
    )


def tested_digester() -> Digester:
    """Test all algorithms, which takes some milliseconds; return those that passed."""
    failures = self_test()
    for name, reason in failures.items():
        _log.error("algorithm out of service", algorithm=name, reason=reason)
    return Digester(failures)


def _in_one_line(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
    ]
    return "; ".join(problems)

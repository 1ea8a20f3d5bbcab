"""Builds the replica: services, then the application around them.

gunicorn calls `create_app()` in each serving process, after the fork: pools, clients and threads
do not survive one.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import redis
from flask import Flask
from prometheus_client import CollectorRegistry

from app import endpoints
from app.application import Application
from app.body_streams import BodyStreams
from app.cache.wiring import build_cache
from app.checks import READ_ONLY, REDIS, postgresql_check, redis_check, writes_check
from app.digests.wiring import build_digests
from app.error_handling import register_error_handling
from app.event_places import EventPlaces
from app.events import Events
from app.farewell import register_farewell
from app.formats.export_places import ExportPlaces
from app.hashes.wiring import build_hashing
from app.jobs.job_type import JobTools, JobType
from app.jobs.wiring import JOB_TYPES, build_jobs
from app.lanes.admission import Admission
from app.lanes.metrics import LaneMetrics
from app.logs import configure_structlog
from app.metrics import AppMetrics
from app.mode_facts import ModeFacts
from app.mode_watch import ModeMetrics, ModeWatch
from app.passwords.wiring import build_passwords
from app.problem_table import title_of
from app.queries.asynchronous.events import EventStreams
from app.queries.catalog_reader import CatalogReader
from app.queries.metrics import QueryMetrics
from app.queries.replica_metrics import ReplicaMetrics
from app.queries.running import RunningQueries
from app.queries.self_check import SelfCheck
from app.queries.service import QueryService
from app.queries.splitting_off import SplittingOff
from app.queries.switchboard import Switchboard
from app.queries.wiring import build_async_queries, build_columnar, build_replica_queries
from app.queue_metrics import QueueMetrics, queue_view
from app.readiness import Readiness
from app.replica_settings import ReplicaSettings
from app.request_id import register_request_id
from app.request_log import register_request_log
from app.routes import (
    breaker,
    cache,
    digests,
    explain,
    hash_bulk,
    health,
    job_history,
    job_rows,
    jobs,
    passwords,
    queries,
    query,
    status,
    tables,
    uploads,
)
from app.routes import dead_letters as job_dead_letters
from app.routes import hash as hashes
from app.routes.docs import register_docs
from app.services import EXTENSION, Services
from app.tables.wiring import build_tables
from app.unread_bodies import register_unread_bodies
from app.uploads.wiring import build_uploads
from db.breaker import BreakerState, Mode
from db.breaker_board import BreakerBoard
from db.breaker_watch import BreakerWatch
from db.errors import DatabaseReadOnly
from db.notices import Notices
from db.own import own_database
from db.reader import reader_database
from db.replicas import ReplicaWatch, read_replicas
from jobs.service import Jobs
from query.statement import Parser
from tasks.bell import Bell
from tasks.client import connect
from tasks.dead_letters import dead_letters
from tasks.dispatcher import Dispatcher
from tasks.events import OnEvent
from tasks.heartbeat import Workers
from tasks.lanes import PASSWORD, QUERY, lane_status
from tasks.scaling import scaling
from telemetry.carrier import Continuations
from telemetry.wiring import build_tracer

ENDPOINTS = (
    *query.endpoints, *explain.endpoints, *queries.endpoints, *hashes.endpoints,
    *hash_bulk.endpoints, *digests.endpoints, *passwords.endpoints, *jobs.endpoints,
    *job_history.endpoints, *job_rows.endpoints, *job_dead_letters.endpoints, *uploads.endpoints,
    *tables.endpoints, *cache.endpoints, *breaker.endpoints, *status.endpoints, *health.endpoints,
)  # fmt: skip
# who waits for somebody else's answer, or body, leaves this many threads to other requests
SPARE_THREADS = 2

BREAKER_EVENTS: Mapping[BreakerState, str] = {
    "open": "breaker_opened",
    "half_open": "breaker_half_opened",
    "closed": "breaker_closed",
}


def create_app(job_types: Sequence[type[JobType[Any]]] = JOB_TYPES) -> Flask:
    """Build the replica's application from the environment, with everything running."""
    configure_structlog()
    services = build_services(ReplicaSettings.from_environment(), job_types)
    services.database.open()
    services.own_database.open()
    services.readiness.start()
    services.breaker_watch.start()
    services.read_replicas.start()
    services.running.start()
    services.notices.start()
    services.asynchronous.executor.start()
    services.self_check.start()
    services.cache.background.start()
    services.digests.commit.start()
    services.tables.asked.start()
    return build_app(services)


def build_services(
    settings: ReplicaSettings, job_types: Sequence[type[JobType[Any]]] = JOB_TYPES
) -> Services:
    """Build what the routes work with; nothing is connected or started yet."""
    metrics = AppMetrics(CollectorRegistry())
    events = Events(metrics.registry)

    def breaker_changed(
        old: BreakerState, new: BreakerState, error: BaseException | None, *, pool: str
    ) -> None:
        metrics.breaker_changed(pool, new)
        events.emit(BREAKER_EVENTS[new], str(error or f"was {old}").strip(), pool=pool)

    database = reader_database(settings.database, "app", [partial(breaker_changed, pool="app")])
    own = own_database(settings.database, "app", [partial(breaker_changed, pool="app-own")])
    client = connect(settings.queue, "millrace-app")
    board = BreakerBoard(client, "app")

    def found(check: str, ok: bool) -> None:
        metrics.check_up.labels(check).set(ok)
        for pool in (database, own):
            metrics.pool_seen(pool.status())
        modes.look()

    dispatcher = Dispatcher(client, settings.queue)
    readiness = Readiness(
        [postgresql_check(database), writes_check(own), redis_check(client, dispatcher.capacity)],
        interval_s=settings.app.app_probe_s,
        describe=_described,
        on_finding=found,
    )
    query_metrics = QueryMetrics(metrics.registry)
    tracer = build_tracer(settings.tracing, "millrace-app", metrics.spans_went)

    admission: Admission[Any] = Admission(
        settings.lanes, LaneMetrics(metrics.registry), events.emit, time.monotonic
    )
    self_check = SelfCheck(
        database,
        SplittingOff(own),
        query_metrics,
        share=settings.query.self_check_share,
        timeout_s=settings.query.self_check_timeout_s,
        max_bytes=settings.query.max_answer_bytes,
        emit=events.emit,
    )
    parser = Parser(
        cache_size=settings.query.plan_cache_size,
        max_length=settings.query.max_sql_length,
        max_depth=settings.query.max_sql_depth,
        schema=settings.database.schema_name,
    )
    cache_client = short_tempered_client(settings)
    accelerated = build_tables(own, database, settings.database.schema_name, metrics.registry)
    columnar = build_columnar(own, cache_client, settings, query_metrics, accelerated.asked)
    queries = QueryService(
        database,
        dispatcher,
        parser=parser,
        catalog=CatalogReader(settings.database.schema_name),
        settings=settings.query,
        metrics=query_metrics,
        self_check=self_check,
        columnar=columnar,
        on_ran=admission.ran,
    )
    watch = ReplicaWatch(
        database,
        read_replicas(
            settings.database, "app", lambda replica: partial(breaker_changed, pool=replica)
        ),
        on_change=partial(_read_replica_changed, events.emit),
    )
    answers_cache = build_cache(
        queries,
        parser,
        client=cache_client,
        database=database,
        own_database=own,
        registry=metrics.registry,
        settings=settings.cache,
        query_settings=settings.query,
        database_settings=settings.database,
        most_waiting=max(1, settings.lanes.app_query_limit - SPARE_THREADS),
        emit=events.emit,
        replicas=build_replica_queries(watch, dispatcher, parser, query_metrics, settings),
    )
    modes = ModeWatch(
        ModeFacts(
            readiness,
            database,
            own,
            dispatcher,
            answers_cache.stores,
            is_caching=settings.cache.cache_ttl_s > 0,
            overloaded=lambda: admission.trouble,
        ),
        events.emit,
        ModeMetrics(metrics.registry),
    )
    running = RunningQueries(on_cancelled=query_metrics.cancelled)
    switchboard = Switchboard(own, running)
    asynchronous = build_async_queries(
        own, queries, running, switchboard, query_metrics, settings.query, Continuations(tracer)
    )
    places = EventPlaces(settings.query.async_max_streams)
    hashing = build_hashing(settings.hashes)
    uploaded = build_uploads(own, hashing.digester, settings.uploads)
    job_desk = build_jobs(
        Jobs(own, Bell(client), settings.jobs),
        JobTools(
            own,
            database,
            uploaded.uploads,
            parser,
            frozenset(settings.jobs.databases),
            queries,
            settings.hash_keys.decoded(),
        ),
        places,
        settings.app.app_max_body_bytes,
        metrics.registry,
        job_types,
    )
    queue_metrics = QueueMetrics(
        metrics.registry, partial(queue_view, client), lambda: readiness.problem(REDIS) is not None
    )
    metrics.before_scrape += [
        accelerated.metrics.look,
        job_desk.metrics.look,
        modes.look,
        queue_metrics.look,
        ReplicaMetrics(metrics.registry, watch).look,
    ]
    return Services(
        settings=settings.app,
        metrics=metrics,
        tracer=tracer,
        events=events,
        readiness=readiness,
        modes=modes,
        started_at=time.monotonic(),
        database=database,
        own_database=own,
        breaker_board=board,
        breaker_watch=BreakerWatch(
            board,
            {pool.name: pool.breaker for pool in (database, own)},
            on_order=partial(_breaker_commanded, events.emit),
        ),
        read_replicas=watch,
        redis=client,
        dispatcher=dispatcher,
        queries=queries,
        running=running,
        notices=Notices(settings.database, switchboard.heard),
        asynchronous=asynchronous,
        event_streams=EventStreams(asynchronous.find, switchboard, places),
        self_check=self_check,
        query_settings=settings.query,
        hashing=hashing,
        body_streams=BodyStreams(
            max(
                1, min(settings.app.app_body_streams, settings.lanes.app_bulk_limit - SPARE_THREADS)
            )
        ),
        uploads=uploaded,
        jobs=job_desk,
        tables=accelerated,
        digests=build_digests(own, settings.digests, metrics.registry),
        passwords=build_passwords(
            own,
            client,
            settings.queue,
            settings.passwords,
            settings.password_limits,
            metrics.registry,
        ),
        cache=answers_cache,
        admission=admission,
        exports=ExportPlaces(settings.lanes.app_exports),
        workers=Workers(client),
        dead_letters=lambda: dead_letters(client, most=1),
        lanes=lambda: [lane_status(client, lane) for lane in (QUERY, PASSWORD)],
        scaling=lambda: scaling(client),
    )


def short_tempered_client(settings: ReplicaSettings) -> redis.Redis:
    """Return a client for what is kept in Redis: it gives up long before the queue's does."""
    timeout_s = settings.cache.cache_redis_timeout_s
    return connect(
        settings.queue.model_copy(
            update={"socket_timeout_s": timeout_s, "connect_timeout_s": timeout_s}
        ),
        "millrace-cache",
    )


def _read_replica_changed(emit: OnEvent, replica: str, problem: str | None) -> None:
    if problem is None:
        emit("read_replica_ready", "how far behind it is, is known", replica=replica)
    else:
        emit("read_replica_unfit", problem, replica=replica)


def _breaker_commanded(emit: OnEvent, mode: Mode, before: Mode, reason: str) -> None:
    emit("breaker_commanded", reason or "the order is over", mode=mode, before=before)


def _described(error: Exception) -> str:
    return READ_ONLY if isinstance(error, DatabaseReadOnly) else title_of(error)


def build_app(services: Services) -> Flask:
    """Build the application around `services`."""
    app = Application(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = services.settings.app_max_body_bytes
    app.url_map.merge_slashes = False  # else `//v1` is answered with a redirect, in HTML
    app.extensions[EXTENSION] = services
    # hooks after a request run in reverse order: the id first in, and last out
    register_request_id(app)
    if services.tracer is not None:
        from app.request_tracing import register_request_tracing

        register_request_tracing(app, services.tracer)
    register_request_log(app, services.settings.app_slow_request_s)
    services.metrics.register(app)
    register_error_handling(app)
    register_unread_bodies(app)
    register_farewell(app, lambda: services.readiness.is_draining)
    endpoints.register(app, ENDPOINTS)
    register_docs(app, ENDPOINTS)
    return app


def begin_drain(services: Services) -> None:
    """Hand on what need not end here; returns at once.

    Asynchronous queries run elsewhere, and who watches one connects again.  What clients wait for
    goes on.
    """
    services.modes.look()
    services.event_streams.places.stop()
    services.asynchronous.executor.give_back()


def close(services: Services) -> None:
    """End what `create_app` started; called when the serving process ends."""
    services.readiness.stop()
    services.breaker_watch.stop()
    services.read_replicas.stop()
    services.event_streams.places.stop()
    services.asynchronous.executor.stop()
    services.notices.stop()
    services.running.stop()
    services.self_check.stop()
    services.cache.close()
    services.digests.commit.stop()
    services.tables.asked.stop()
    services.database.close()
    services.own_database.close()
    services.redis.close()
    if services.tracer is not None:
        services.tracer.stop()

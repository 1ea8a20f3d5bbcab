"""Builds what runs queries elsewhere than in their request: on read replicas, and later."""

import uuid

import redis

from app.problem_table import problem_document
from app.queries.asynchronous.executor import Executor, ExecutorRules
from app.queries.asynchronous.service import AsyncQueries
from app.queries.asynchronous.store import AsyncStore
from app.queries.catalog_reader import CatalogReader
from app.queries.columnar.known_tables import KnownTables
from app.queries.columnar.partials import PartialCache
from app.queries.columnar.times import Times
from app.queries.columnar.tools import ColumnarTools
from app.queries.metrics import QueryMetrics
from app.queries.replicas import ReplicaQueries
from app.queries.running import RunningQueries
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from app.queries.switchboard import Switchboard
from app.replica_settings import ReplicaSettings
from db.database import Database
from db.replicas import ReadReplica, ReplicaWatch
from db.tracking.asked import TablesAsked
from query.statement import Parser
from tasks.dispatcher import Dispatcher
from telemetry.carrier import Continuations


def build_replica_queries(
    watch: ReplicaWatch,
    dispatcher: Dispatcher,
    parser: Parser,
    metrics: QueryMetrics,
    settings: ReplicaSettings,
) -> ReplicaQueries | None:
    """Build what runs queries on read replicas; None where there is no replica."""

    def service(replica: ReadReplica) -> QueryService:
        return QueryService(
            replica.database,
            dispatcher,
            parser=parser,
            catalog=CatalogReader(settings.database.schema_name),
            settings=settings.query,
            metrics=metrics,
        )

    if not watch.replicas:
        return None
    return ReplicaQueries(
        watch, {replica.name: service(replica) for replica in watch.replicas}, metrics
    )


def build_columnar(
    own: Database,
    client: redis.Redis,
    settings: ReplicaSettings,
    metrics: QueryMetrics,
    asked: TablesAsked,
) -> ColumnarTools | None:
    """Build what queries over segments need; None where they are switched off.

    `client` should give up on Redis soon.
    """
    if not settings.query.columnar:
        return None
    partials = PartialCache(
        client,
        ttl_s=settings.query.partial_cache_ttl_s,
        max_bytes=settings.query.partial_cache_max_bytes,
        on_asked=metrics.partials_asked,
    )
    known = KnownTables(own, settings.database.schema_name)
    return ColumnarTools(known, partials, Times(), asked)


def build_async_queries(
    own: Database,
    queries: QueryService,
    running: RunningQueries,
    switchboard: Switchboard,
    metrics: QueryMetrics,
    settings: QuerySettings,
    continuations: Continuations,
) -> AsyncQueries:
    """Build what accepts asynchronous queries, and runs them; not started."""
    ttl_s = settings.async_result_ttl_s
    store = AsyncStore(own, ttl_s=ttl_s, max_queued=settings.async_max_queued)
    rules = ExecutorRules(
        threads=settings.async_threads,
        lease_s=settings.async_lease_s,
        max_attempts=settings.async_max_attempts,
        max_result_bytes=settings.async_result_max_bytes,
        sweep_s=min(60.0, ttl_s),
    )
    executor = Executor(store, queries, running, metrics, rules, problem_document, continuations)
    return AsyncQueries(store, executor, switchboard, metrics, new_id=lambda: uuid.uuid4().hex)

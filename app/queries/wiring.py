"""Builds what runs queries elsewhere than in their request: on read replicas, and later."""

import uuid

from app.problem_table import problem_document
from app.queries.asynchronous.executor import Executor, ExecutorRules
from app.queries.asynchronous.service import AsyncQueries
from app.queries.asynchronous.store import AsyncStore
from app.queries.catalog_reader import CatalogReader
from app.queries.metrics import QueryMetrics
from app.queries.replicas import ReplicaQueries
from app.queries.running import RunningQueries
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from app.queries.switchboard import Switchboard
from app.replica_settings import ReplicaSettings
from db.database import Database
from db.replicas import ReadReplica, ReplicaWatch
from query.statement import Parser
from tasks.dispatcher import Dispatcher


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


def build_async_queries(
    own: Database,
    queries: QueryService,
    running: RunningQueries,
    switchboard: Switchboard,
    metrics: QueryMetrics,
    settings: QuerySettings,
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
    executor = Executor(store, queries, running, metrics, rules, problem_document)
    return AsyncQueries(store, executor, switchboard, metrics, new_id=lambda: uuid.uuid4().hex)

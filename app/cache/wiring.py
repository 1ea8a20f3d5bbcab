"""Puts the cache together; nothing is connected or started yet."""

from dataclasses import dataclass

import redis
from prometheus_client import CollectorRegistry

from app.cache.answers import Answers
from app.cache.background import Ageing, Background, ageing_share_s
from app.cache.catalog_facts import CatalogFacts
from app.cache.database_store import DatabaseStore
from app.cache.keeping import Keeping
from app.cache.metrics import CacheMetrics
from app.cache.redis_store import RedisStore
from app.cache.request_key import RequestKeys
from app.cache.settings import CacheSettings
from app.cache.stores import Stores
from app.queries.replicas import ReplicaQueries
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from db.database import Database
from db.settings import DatabaseSettings
from query.statement import Parser
from tasks.events import OnEvent, unheard


@dataclass(frozen=True)
class Cache:
    """The parts that others use."""

    answers: Answers
    stores: Stores
    facts: CatalogFacts
    background: Background
    metrics: CacheMetrics
    settings: CacheSettings
    client: redis.Redis

    def close(self) -> None:
        """End what runs in the background, and the connections to Redis."""
        self.background.stop()
        self.client.close()


def build_cache(
    queries: QueryService,
    parser: Parser,
    *,
    client: redis.Redis,
    database: Database,
    own_database: Database,
    registry: CollectorRegistry,
    settings: CacheSettings,
    query_settings: QuerySettings,
    database_settings: DatabaseSettings,
    most_waiting: int,
    emit: OnEvent = unheard,
    replicas: ReplicaQueries | None = None,
) -> Cache:
    """Build the cache in front of `queries`.

    `client` should give up on Redis soon; `most_waiting` threads may wait for others' answers.
    """
    metrics = CacheMetrics(registry)
    database_store = DatabaseStore(own_database, settings)
    redis_store = RedisStore(client, settings, metrics.evicted)
    stores = Stores(redis_store, database_store, metrics.mode, emit)
    facts = CatalogFacts(database, database_settings.schema_name)
    keys = RequestKeys(
        parser,
        facts,
        role=database_settings.reader_role,
        schema=database_settings.schema_name,
        size=query_settings.plan_cache_size,
    )
    keeping = Keeping(database_store, settings)
    ageing = Ageing()
    answers = Answers(
        queries, keys, stores, keeping, settings, metrics, most_waiting=most_waiting,
        replicas=replicas, on_ageing=lambda query: ageing.add(query, ageing_share_s(settings)),
    )  # fmt: skip
    background = Background(
        answers, stores, facts, keeping, ageing, settings, metrics,
        timeout_s=query_settings.query_timeout_s,
    )  # fmt: skip
    return Cache(answers, stores, facts, background, metrics, settings, client)

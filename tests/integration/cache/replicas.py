"""Replicas' caches on real servers, and query services that count and can be held up."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from prometheus_client import CollectorRegistry

from app.cache.policy import CachePolicy
from app.cache.settings import CacheSettings
from app.cache.status import CachedAnswer
from app.cache.wiring import Cache, build_cache
from app.queries.catalog_reader import CatalogReader
from app.queries.control import Control
from app.queries.metrics import QueryMetrics
from app.queries.request import Answer, QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from query.statement import Parser
from tasks.client import connect
from tasks.settings import QueueSettings
from tests.integration.queries.local import LocalDispatcher

DEFAULT = CachePolicy()
# a machine that hangs shall not pass for a Redis that does, nor for a process that died
PATIENT = CacheSettings(cache_redis_timeout_s=30.0, cache_lease_s=60.0)


def eventually(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


class HeldService(QueryService):
    """Counts what it runs; while `gate` is shut, what has begun waits before it runs."""

    runs = 0
    begun = 0
    gate: threading.Event
    lock: threading.Lock

    def run(
        self, query: QueryInput, control: Control | None = None, *, accepted: bool = False
    ) -> Answer:
        """Run the query."""
        with self.lock:
            self.begun += 1
        while not self.gate.wait(0.005):
            if control is not None:
                control.remaining_s()
        answer = super().run(query, control, accepted=accepted)
        with self.lock:
            self.runs += 1
        return answer


class Replica:
    """One replica's query service and cache."""

    def __init__(self, service: HeldService, cache: Cache) -> None:
        self.service = service
        self.cache = cache

    def ask(
        self,
        sql: str,
        policy: CachePolicy = DEFAULT,
        *,
        params: tuple[str | None, ...] = (),
        control: Control | None = None,
        max_rows: int = 1000,
    ) -> CachedAnswer:
        """Answer the query."""
        query = QueryInput(sql, params, 60.0, max_rows, "direct")
        return self.cache.answers.answer(query, policy, control or Control("q", 60.0))

    def origin(self, sql: str, policy: CachePolicy = DEFAULT) -> str:
        """Return where the answer came from."""
        return self.ask(sql, policy).status.origin


@contextmanager
def replica(
    database_url: str, redis_url: str, settings: CacheSettings = PATIENT
) -> Iterator[Replica]:
    """Give a replica; its background threads run."""
    database_settings = DatabaseSettings(url=database_url, breaker_failures=1)
    query_settings = QuerySettings()
    with ExitStack() as stack:
        reader = stack.enter_context(reader_database(database_settings, "test"))
        own = stack.enter_context(own_database(database_settings, "test"))
        queue_settings = QueueSettings(url=redis_url).model_copy(
            update={"socket_timeout_s": settings.cache_redis_timeout_s}
        )
        client = stack.enter_context(connect(queue_settings, "test"))
        parser = Parser(cache_size=100, max_length=100_000, max_depth=60)
        service = HeldService(
            reader,
            LocalDispatcher(reader),
            parser=parser,
            catalog=CatalogReader("public"),
            settings=query_settings,
            metrics=QueryMetrics(CollectorRegistry()),
        )
        service.lock = threading.Lock()
        service.gate = threading.Event()
        service.gate.set()
        cache = build_cache(
            service, parser, client=client, database=reader, own_database=own,
            registry=CollectorRegistry(), settings=settings, query_settings=query_settings,
            database_settings=database_settings, most_waiting=100,
        )  # fmt: skip
        cache.facts.refresh()
        # at its start, too, it would compute what is asked for often: at any moment of a test
        cache.background._settings = settings.model_copy(update={"cache_warm_queries": 0})
        cache.background.start()
        stack.callback(cache.background.stop)
        yield Replica(service, cache)

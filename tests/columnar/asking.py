"""Asks the query service by chance, and PostgreSQL in the very same snapshot.

A process's share of the work, apart from the command: another process cannot import what a package
runs as its main program.
"""

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from unittest.mock import patch

import psycopg
from prometheus_client import CollectorRegistry

from app.queries.catalog_reader import CatalogReader
from app.queries.columnar.known_tables import KnownTables
from app.queries.columnar.partials import PartialCache
from app.queries.columnar.times import Times
from app.queries.columnar.tools import ColumnarTools
from app.queries.control import Control
from app.queries.metrics import QueryMetrics
from app.queries.request import Answer, QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError
from app.queries.transaction import ReadTransaction
from db.database import Database
from db.errors import DatabaseError
from db.tracking.asked import TablesAsked
from query.decision import Engine
from query.errors import QueryError
from query.statement import Parser, Statement
from tasks.client import connect
from tasks.dispatcher import Dispatcher
from tasks.settings import QueueSettings
from tests.columnar.narrow import narrowed
from tests.columnar.world import TABLES, Stand, columns
from tests.oracle import sources
from tests.oracle.comparison import Outcome, difference
from tests.oracle.generator import GeneratedQuery, Generator
from tests.oracle.runner import execute

TIMEOUT_S = 6.0
MAX_ROWS = 10_000
# Most queries were asked before, in other snapshots: plans and partials are kept, and the new ones
# are those that cost time.
ASKED_AGAIN = 0.7
KEPT_QUERIES = 400
KEPT_S = 3.0  # partials: longer, and most would never be computed again
TOLD_EVERY = 500  # how it goes, after so many queries of a thread
OF_ANY_FORM = 12  # every so many-th
PARTITIONS = (1, 1, 1, 2, 4)


@dataclass
class Asked:
    """How queries came out, by mode of their answers; why the others were not compared."""

    compared: Counter[str] = field(default_factory=Counter)
    not_compared: Counter[str] = field(default_factory=Counter)
    kept_partials: int = 0
    mismatches: list[str] = field(default_factory=list)

    def merge(self, other: "Asked") -> None:
        """Add another one to this."""
        self.compared += other.compared
        self.not_compared += other.not_compared
        self.kept_partials += other.kept_partials
        self.mismatches += other.mismatches

    @property
    def over_segments(self) -> int:
        """How many compared answers read segments."""
        return self.compared["columnar"] + self.compared["mixed"]


class InSnapshot:
    """Stands where the self-check does: it asks PostgreSQL while the answer's snapshot lives."""

    off: frozenset[str] = frozenset()

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found = threading.local()

    def offer(self, _: Statement, query: QueryInput, __: Answer, export: Callable[[], str]) -> None:
        """Ask, in the same thread."""
        with self._database.connection() as connection:
            ReadTransaction(connection, Control("", TIMEOUT_S)).begin_at(export())
            self._found.outcome = execute(connection, query.sql, query.params)

    def take(self) -> Outcome | None:
        """Return what PostgreSQL answered the thread's latest query, if it was asked."""
        found: Outcome | None = getattr(self._found, "outcome", None)
        self._found.outcome = None
        return found


@contextmanager
def query_service(
    stand: Stand, redis_url: str, reader: Database, owner: Database, check: InSnapshot
) -> Iterator[QueryService]:
    """Build the service, as a replica would."""
    queue = QueueSettings(url=redis_url)
    settings = QuerySettings(
        min_fragment_cost=0.001, max_fragment_share=1e9, columnar_fragment_rows=1,
        columnar_min_share=0.0, max_overflow=100,
    )  # fmt: skip
    with connect(queue, "asking") as client:
        partials = PartialCache(client, ttl_s=KEPT_S, max_bytes=10**6)
        yield QueryService(
            reader,
            Dispatcher(client, queue),
            parser=Parser(cache_size=100, max_length=100_000, max_depth=60),
            catalog=CatalogReader("public"),
            settings=settings,
            metrics=QueryMetrics(CollectorRegistry()),
            self_check=check,  # type: ignore[arg-type] # it stands in
            columnar=ColumnarTools(
                KnownTables(owner, "public"), partials, Times(), TablesAsked(owner)
            ),
        )


class Asker:
    """Asks query after query; safe for use by many threads."""

    def __init__(self, service: QueryService, check: InSnapshot) -> None:
        self._service = service
        self._check = check
        self._generating = threading.Lock()
        self._kept: list[GeneratedQuery] = []
        self.asked = Asked()

    def seed(self, seed: int) -> None:
        """Ask the query of a seed, or now and then one of the latest once more."""
        chance = random.Random(seed)
        query = self._query(seed, chance)
        engine: Engine = "auto" if chance.random() < 0.06 else "columnar"
        self.ask(query, engine, chance.choice(PARTITIONS))

    def _query(self, seed: int, chance: random.Random) -> GeneratedQuery:
        # the generator is told what to make by replacing what its modules hold
        with self._generating:
            if self._kept and chance.random() < ASKED_AGAIN:
                return chance.choice(self._kept)
            return generated(seed)

    def ask(self, query: GeneratedQuery, engine: Engine, partitions: int | None) -> None:
        """Ask one, and compare."""
        given = QueryInput(query.sql, query.params, TIMEOUT_S, MAX_ROWS, engine, partitions)
        try:
            answer = self._service.run(given)
        except (QueryError, SqlError, DatabaseError, psycopg.Error) as error:
            self._check.take()
            self.asked.not_compared[_why(error)] += 1
            return
        theirs = self._check.take()
        if theirs is None:
            self.asked.not_compared[f"{answer.mode}: {answer.reason[:70]}"] += 1
            return
        ours = Outcome(
            tuple((column.name, column.oid, column.typmod) for column in answer.columns),
            tuple(answer.rows), mode=answer.mode, reason=answer.reason, snapshot=answer.snapshot,
        )  # fmt: skip
        found = difference(ours, theirs, query.order, query.sql)
        if answer.mode in ("columnar", "mixed") and query not in self._kept:
            self._kept = [*self._kept[1 - KEPT_QUERIES :], query]
        self.asked.compared[answer.mode] += 1
        self.asked.kept_partials += answer.kept_partials
        if found is not None:
            self._tell(
                f"seed {query.seed} {answer.mode} ({answer.reason}), snapshot {answer.snapshot}:\n"
                f"  {found}\n  {query.sql}\n  {query.params}"
            )

    def _tell(self, mismatch: str) -> None:
        """Keep it for the end, and say it at once."""
        self.asked.mismatches.append(mismatch)
        sys.stderr.write(f"MISMATCH {mismatch}\n")
        sys.stderr.flush()


def generated(seed: int) -> GeneratedQuery:
    """Return the query of a seed: now and then it is of any form, others are kept to the list."""
    known, tables = columns(), TABLES
    with ExitStack() as stack:
        if seed % OF_ANY_FORM:
            stack.enter_context(narrowed(known))
            tables = tuple(name for name in TABLES if name not in ("parted", "parent", "kept"))
        else:
            stack.enter_context(nullcontext())
            stack.enter_context(patch.object(sources, "COLUMNS", known))
        stack.enter_context(patch.object(sources, "TABLES", tables))
        return Generator(seed).query()


def _why(error: Exception) -> str:
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text[:100]}"


@dataclass(frozen=True)
class Share:
    """What a process does: ask from a seed on, with some threads, for so long."""

    first: int
    step: int
    threads: int
    seconds: float
    most: int


def ask_share(stand: Stand, redis_url: str, share: Share) -> Asked:
    """Do it; also the entry of a process."""
    check_until = time.monotonic() + share.seconds
    with stand.databases("asking") as (owner, reader):
        check = InSnapshot(reader)
        with query_service(stand, redis_url, reader, owner, check) as service:
            asker = Asker(service, check)

            def ask(first: int) -> None:
                seed = first
                while time.monotonic() < check_until and asker.asked.over_segments < share.most:
                    asker.seed(seed)
                    if seed // (share.step * share.threads) % TOLD_EVERY == 0:
                        sys.stderr.write(f"{dict(asker.asked.compared)}\n")
                    seed += share.step * share.threads

            firsts: Sequence[int] = [
                share.first + share.step * number for number in range(share.threads)
            ]
            threads = [threading.Thread(target=ask, args=(first,)) for first in firsts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return asker.asked

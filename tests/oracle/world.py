"""A database with the tables of `schema`, and a query service over it that splits what it can."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from prometheus_client import CollectorRegistry
from psycopg.conninfo import make_conninfo

from app.queries.catalog_reader import CatalogReader
from app.queries.metrics import QueryMetrics
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from db.database import Database
from db.migrate import migrate
from db.reader import reader_database
from db.settings import DatabaseSettings
from query.fragment import Fragment
from query.statement import Parser
from tests.integration.queries.local import LocalDispatcher, LocalScatter
from tests.oracle.schema import MODULUS, UNDO, WRITES, statements

ICU = b"SELECT count(*) FROM pg_collation WHERE collname = 'und-x-icu'"  # initdb makes it if it can


class Writer:
    """Commits changes to the tables that a query reads, and takes them back after it.

    Nothing else writes, so a run is repeatable, and a transaction begun before the query sees
    what the query must see.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._pending: list[str] = []
        self._undo: list[str] = []
        self.written = 0

    def prepare(self, sql: str, seed: int) -> None:
        """Choose the changes for a query."""
        remainder = seed % MODULUS
        words = set(sql.replace("(", " ").replace(")", " ").replace(",", " ").split())
        named = [table for table in WRITES if table in words]
        self._pending = [text.format(n=remainder) for table in named for text in WRITES[table]]
        self._undo = [text.format(n=remainder) for table in named for text in UNDO[table]]

    def step(self) -> None:
        """Commit the next change, if one is left."""
        if self._pending:
            self._connection.execute(self._pending.pop(0).encode())
            self.written += 1

    def settle(self) -> None:
        """Commit what is left of the changes, and take all of them back; none if none was made."""
        if self.written:
            statements = [*self._pending, *self._undo]
            self._connection.execute(";".join(statements).encode())
        self._pending, self._undo, self.written = [], [], 0


class WritingScatter(LocalScatter):
    """Has something change before each fragment runs."""

    def __init__(self, database: Database, payloads: Sequence[bytes], writer: Writer) -> None:
        super().__init__(database, payloads)
        self._writer = writer

    def _run(self, fragment: Fragment) -> bytes:
        self._writer.step()
        return super()._run(fragment)


class WritingDispatcher(LocalDispatcher):
    """Four slots, here, under writes."""

    def __init__(self, database: Database, writer: Writer) -> None:
        super().__init__(database)
        self._writer = writer

    def scatter(  # type: ignore[override]
        self,
        payloads: Sequence[bytes],
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> LocalScatter:
        return WritingScatter(self._database, payloads, self._writer)


@dataclass(frozen=True)
class World:
    """`oracle` lends plain connections with the session settings that users' SQL has."""

    service: QueryService
    oracle: Database
    writer: Writer
    owner: psycopg.Connection


@contextmanager
def world(maintenance_url: str, name: str = "oracle") -> Iterator[World]:
    """Make database `name` on a server, and drop it in the end.

    `maintenance_url` leads to another database there, as a superuser.
    """
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    url = make_conninfo(maintenance_url, dbname=name)
    settings = DatabaseSettings(url=url)
    migrate(url, settings)
    with psycopg.connect(url, autocommit=True) as owner:
        found = owner.execute(ICU).fetchone()
        for statement in statements(icu=found != (0,)):
            owner.execute(statement.encode())
        owner.execute(b"VACUUM ANALYZE")
        with reader_database(settings, "oracle") as reader:
            writer = Writer(owner)
            service = QueryService(
                reader,
                WritingDispatcher(reader, writer),
                parser=Parser(cache_size=100, max_length=100_000, max_depth=60),
                catalog=CatalogReader("public"),
                settings=QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9),
                metrics=QueryMetrics(CollectorRegistry()),
            )
            yield World(service, reader, writer, owner)
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

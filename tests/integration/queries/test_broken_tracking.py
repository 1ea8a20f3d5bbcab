"""Whatever is done to an accelerated table, its queries have PostgreSQL's answers.

Each way of `db/tracking/breaks.py` is tried behind the back of a query service that has the
query's plan, the table's columns, its segments and their partials at hand, and does not look again.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import pytest
import redis
from prometheus_client import CollectorRegistry

from app.queries.catalog_reader import CatalogReader
from app.queries.columnar.known_tables import KnownTables
from app.queries.columnar.partials import PartialCache
from app.queries.columnar.times import Times
from app.queries.columnar.tools import ColumnarTools
from app.queries.metrics import QueryMetrics
from app.queries.request import QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError
from cli.embedded.postgres import EmbeddedPostgres
from columnar.engine import Bounds, ColumnarEngine
from db.database import Database
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from db.tracking.asked import TablesAsked
from db.tracking.breaks import BREAKS
from db.tracking.buckets import Cut
from db.tracking.installation import Installation, cut_anew
from db.tracking.tracked_table import current_buckets
from query.decision import Engine
from query.errors import NotSplittable
from query.statement import Parser
from segments.builder import Builder
from segments.folder import SegmentFolder
from segments.settings import SegmentSettings
from tests.integration.queries.local import LocalDispatcher
from tests.integration.tracking.fresh_database import database, empty
from tests.integration.tracking.test_breaks import ELSEWHERE
from tests.integration.tracking.ways import LOGGED, REWRITES, STATEMENTS
from worker.columnar_runner import ColumnarRunner
from worker.keeping.file_formats import file_format

TABLES = """
CREATE TABLE items (id int PRIMARY KEY, label text COLLATE "C", amount numeric(12,2));
INSERT INTO items SELECT n, 'item ' || n, n FROM generate_series(1, 1000) AS n;
"""
BOUNDS = (500,)
QUERIES = (
    "SELECT count(*), sum(amount), max(label) FROM items",
    "SELECT count(*) FROM items",
    "SELECT id % 3 AS k, count(*), min(id) FROM items GROUP BY k ORDER BY k",
    "SELECT id, amount FROM items WHERE id IN (1, 300, 600, 920, 980, 2000) ORDER BY id",
)
FOREVER_S = 10**9
LOCK_TIMEOUT_S = 0.3
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = %s"
Rows = list[tuple[str | None, ...]]


class Stand:
    """The table, its segments, and a service that never looks for accelerated tables again."""

    def __init__(self, url: str, owner: Database, reader: Database, folder: Path) -> None:
        self.url = url
        self.owner = owner
        self.reader = reader
        settings = SegmentSettings(folder=folder)
        self.files = SegmentFolder(folder, 10**9)
        self._builder = Builder(owner, reader, self.files, settings, file_format("duckdb"))
        cuts = [Cut(str(bound), bound) for bound in BOUNDS]
        with owner.connection() as connection:
            self.table = Installation().install(connection, "public", "items", cuts)
        self.build()
        self.service: QueryService
        self.patient: QueryService
        self.dispatcher: LocalDispatcher

    def build(self, *places: int) -> None:
        """Build the buckets at these places anew, or all of them."""
        with self.owner.connection() as connection:
            buckets = current_buckets(connection, self.table.id)
        for place, bucket in enumerate(buckets):
            if not places or place in places:
                assert self._builder.build(self.table, bucket) is not None

    def session(self) -> psycopg.Connection:
        """A session of the owner's."""
        return psycopg.connect(self.url, autocommit=True)

    def run(self, *statements: str) -> None:
        """Run statements as the owner."""
        with self.session() as session:
            for statement in statements:
                session.execute(statement.encode())

    def ask(self, sql: str, engine: Engine) -> tuple[str, Rows | str | None]:
        """Return the mode, and rows or the SQLSTATE of an error."""
        try:
            answer = self.service.run(QueryInput(sql, (), 20.0, 10_000, engine))
        except NotSplittable:
            return "refused", None
        except SqlError as error:
            return "error", error.sqlstate
        return answer.mode, answer.rows

    def truth(self, sql: str) -> Rows | str | None:
        """Return what PostgreSQL says to the reader."""
        try:
            with self.reader.connection() as connection:
                return connection.execute(sql.encode()).fetchall()
        except psycopg.Error as error:
            return error.sqlstate

    def until_somebody_waits(self) -> None:
        """Wait until a session waits for the table's lock."""
        with self.session() as session:
            deadline = time.monotonic() + 30
            while session.execute(WAITING, [self.table.oid]).fetchone() is None:
                assert time.monotonic() < deadline

    def check(self) -> set[str]:
        """Compare the answers of all queries with PostgreSQL's; return the modes."""
        modes = set()
        engines: tuple[Engine, ...] = ("columnar", "auto")
        for sql in QUERIES:
            for engine in engines:
                mode, found = self.ask(sql, engine)
                modes.add(mode)
                if mode != "refused":
                    assert (sql, found) == (sql, self.truth(sql)), mode
        return modes


@dataclass(frozen=True)
class Tools:
    """What all tests share; `patient` waits for locks longer than the other reader."""

    url: str
    owner: Database
    reader: Database
    patient: Database
    folder: Path
    engine: ColumnarEngine


@pytest.fixture(scope="module")
def tools(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    """A database of the module's own, with pools and an engine."""
    folder = tmp_path_factory.mktemp("segments")
    with database(postgres, "broken_tracking") as url:
        settings = DatabaseSettings(url=url, lock_timeout_s=LOCK_TIMEOUT_S)
        with (
            own_database(settings, "test") as owner,
            reader_database(settings, "test") as reader,
            reader_database(DatabaseSettings(url=url, lock_timeout_s=60), "test") as patient,
        ):
            spill = tmp_path_factory.mktemp("spill")
            engine = ColumnarEngine(folder, Bounds(1, 256 * 1024**2, spill, 10**9))
            yield Tools(url, owner, reader, patient, folder, engine)
            engine.close()


@pytest.fixture
def stand(tools: Tools, redis_url: str) -> Iterator[Stand]:
    """All segments clean, and everything known that can be kept."""
    empty(tools.url, TABLES)
    made = Stand(tools.url, tools.owner, tools.reader, tools.folder)
    made.dispatcher = LocalDispatcher(tools.reader, ColumnarRunner(tools.engine, made.files))
    with redis.Redis.from_url(redis_url) as client:
        partials = PartialCache(client, ttl_s=60, max_bytes=10**6)
        known = KnownTables(tools.owner, "public", fresh_s=FOREVER_S)
        columnar = ColumnarTools(known, partials, Times(), TablesAsked(tools.owner))
        made.service, made.patient = (
            QueryService(
                reader,
                made.dispatcher,
                parser=Parser(cache_size=100, max_length=10**5, max_depth=60),
                catalog=CatalogReader("public"),
                settings=QuerySettings(columnar_min_cost=0, columnar_fragment_rows=300),
                metrics=QueryMetrics(CollectorRegistry()),
                columnar=columnar,
            )
            for reader in (tools.reader, tools.patient)
        )
        for sql in QUERIES:
            assert made.ask(sql, "columnar") == ("columnar", made.truth(sql))
        yield made


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_every_known_break_is_tried() -> None:
    assert set(MOMENTS) == ELSEWHERE - IN_ITS_OWN_TEST
    assert len(STATEMENTS) + len(REWRITES) + len(LOGGED) + len(ELSEWHERE) == len(BREAKS)


@pytest.mark.parametrize("name", STATEMENTS)
def test_an_answer_is_right_after(stand: Stand, name: str) -> None:
    stand.run(*STATEMENTS[name])
    assert stand.check() & {"columnar", "mixed"} == set()


@pytest.mark.parametrize("name", [*REWRITES, *LOGGED])
def test_an_answer_is_right_and_segments_serve_again_after(stand: Stand, name: str) -> None:
    stand.run(*(REWRITES.get(name) or LOGGED[name][0]))
    assert "columnar" not in stand.check()
    stand.build()
    assert "columnar" in stand.check()


def copied_in(stand: Stand) -> None:
    with (
        stand.session() as session,
        session.cursor() as cursor,
        cursor.copy("COPY items FROM STDIN") as copy,
    ):
        copy.write_row((-5, "new", 1))
        copy.write_row((2000, "new", 1))


def rolled_back(stand: Stand) -> None:
    stand.run("BEGIN", "TRUNCATE items", "ROLLBACK")


def prepared(stand: Stand) -> None:
    with stand.session() as session:
        session.execute("BEGIN")
        session.execute("DELETE FROM items WHERE id = 1")
        session.execute(f"PREPARE TRANSACTION 'answer {stand.table.oid}'".encode())
        stand.build(0)
        assert "columnar" in stand.check()
        session.execute(f"COMMIT PREPARED 'answer {stand.table.oid}'".encode())


def older(stand: Stand) -> None:
    with stand.session() as session:
        session.execute("BEGIN")
        session.execute("UPDATE items SET amount = 0 WHERE id = 1")
        session.execute("SAVEPOINT a")
        session.execute("UPDATE items SET amount = 0 WHERE id = 300")
        stand.build()
        assert "columnar" in stand.check()
        session.execute("COMMIT")


def cut_under_a_writer(stand: Stand) -> None:
    with stand.session() as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        session.execute("UPDATE items SET amount = 0 WHERE id = 980")
        with stand.owner.connection() as owner:
            tail = current_buckets(owner, stand.table.id)[-1:]
            cut_anew(owner, stand.table.oid, tail, [Cut("900", 900), Cut("950", 950)])
        stand.build(1, 2, 3)
        assert "columnar" in stand.check()
        session.execute("UPDATE items SET amount = 0 WHERE id = 920")
        session.execute("COMMIT")


# what takes more than statements, and what modes its answers may not have then
MOMENTS: dict[str, tuple[Callable[[Stand], None], set[str]]] = {
    "COPY": (copied_in, {"columnar"}),
    "TRUNCATE that is rolled back": (rolled_back, {"mixed"}),
    "a prepared transaction": (prepared, {"columnar"}),
    "a transaction older than the segment": (older, {"columnar"}),
    "a bucket is cut again under a writer": (cut_under_a_writer, {"columnar"}),
}
IN_ITS_OWN_TEST = {
    "TRUNCATE after the query's snapshot", "ALTER TABLE after the query's snapshot",
    "TRUNCATE that the query waits for", "a foreign key cascades",
    # the row trigger that notices it is the one that notices session_replication_role = replica
    "logical replication",
}  # fmt: skip


@pytest.mark.parametrize("name", MOMENTS)
def test_an_answer_is_right_whenever_it_comes(stand: Stand, name: str) -> None:
    work, others = MOMENTS[name]
    work(stand)
    assert stand.check() & others == set()


def test_an_answer_is_right_after_a_foreign_key_cascaded(stand: Stand) -> None:
    with stand.owner.connection() as connection:
        Installation().remove(connection, stand.table.oid)
    stand.run(
        "CREATE TABLE owners (n int PRIMARY KEY)", "INSERT INTO owners VALUES (1), (2)",
        "ALTER TABLE items ADD COLUMN a int REFERENCES owners ON DELETE CASCADE",
        "UPDATE items SET a = 1 WHERE id = 1", "UPDATE items SET a = 2 WHERE id = 600",
    )  # fmt: skip
    again = Stand(stand.url, stand.owner, stand.reader, stand.files.path(""))
    again.dispatcher, again.service = stand.dispatcher, stand.service
    # it knows of the acceleration that was removed alone, and reads nothing of the new one
    assert again.check() & {"columnar", "mixed"} == set()
    again.run("DELETE FROM owners WHERE n = 1")
    again.check()


@pytest.mark.parametrize("is_mixed", [False, True])
@pytest.mark.parametrize(
    "statement", ["TRUNCATE items", "ALTER TABLE items ADD COLUMN more int DEFAULT 1"]
)
def test_what_waits_for_the_query_does_not_change_its_answer(
    stand: Stand, statement: str, *, is_mixed: bool
) -> None:
    """Fragments on PostgreSQL would wait behind it, and give up; those over segments go on."""
    sql = "SELECT sum(id), sum(amount) FROM items"
    if is_mixed:
        stand.run("UPDATE items SET amount = 0 WHERE id = 300")
    truth = stand.truth(sql)
    scatter = stand.dispatcher.scatter
    writers = []

    def write_then_scatter(payloads, **options):  # type: ignore[no-untyped-def]
        writers.append(in_thread(partial(stand.run, statement)))
        stand.until_somebody_waits()
        return scatter(payloads, **options)

    stand.dispatcher.scatter = write_then_scatter  # type: ignore[method-assign]
    expected = ("refused", None) if is_mixed else ("columnar", truth)
    assert stand.ask(sql, "columnar") == expected
    (writer,) = writers
    writer.join(30)
    del stand.dispatcher.scatter
    assert stand.check() & {"columnar", "mixed"} == set()


def test_an_answer_that_waited_for_a_truncate_is_that_after_it(stand: Stand) -> None:
    stand.service = stand.patient
    answers: list[tuple[str, Rows | str | None]] = []
    with stand.session() as session:
        session.execute("BEGIN")
        session.execute("TRUNCATE items")
        asking = in_thread(lambda: answers.append(stand.ask(QUERIES[1], "auto")))
        stand.until_somebody_waits()
        session.execute("COMMIT")
        asking.join(30)
    assert answers[0][1] == [("0",)]

"""PostgreSQL hangs, takes no writes, or cuts connections: limits hold, and what can go on does."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from app.checks import postgresql_check, writes_check
from app.main import build_app, build_services, close
from app.queries.catalog_reader import CatalogReader
from app.queries.control import Control
from app.queries.errors import Cancelled, DeadlinePassed
from app.queries.metrics import QueryMetrics
from app.queries.request import QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from app.replica_settings import ReplicaSettings
from db.database import Database
from db.errors import (
    BreakerOpen,
    ConnectionLost,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    TooSlow,
)
from db.own import own_database
from db.reader import reader_database
from db.settings import DatabaseSettings
from query.statement import Parser
from tests.integration.db.conftest import MortalPostgres
from tests.integration.queries.local import LocalDispatcher
from tests.slow_sql import SLOW_SQL

Eventually = Callable[[Callable[[], bool]], None]


def settings_of(mortal: MortalPostgres, **changes: object) -> DatabaseSettings:
    return DatabaseSettings(
        url=mortal.url, reader_url=mortal.url, connect_timeout_s=2, breaker_failures=3,
        breaker_reset_s=0.1, breaker_reset_max_s=0.2, **changes,
    )  # fmt: skip


def service_of(database: Database) -> QueryService:
    return QueryService(
        database, LocalDispatcher(database),
        parser=Parser(cache_size=10, max_length=10_000, max_depth=60),
        catalog=CatalogReader("public"), settings=QuerySettings(),
        metrics=QueryMetrics(CollectorRegistry()),
    )  # fmt: skip


def asked(sql: str, timeout_s: float) -> QueryInput:
    return QueryInput(sql, (), timeout_s, 1000, "direct")


def test_deadlines_hold_while_postgresql_hangs_and_the_breaker_opens(
    mortal: MortalPostgres, eventually: Eventually
) -> None:
    with reader_database(settings_of(mortal), "test") as database, ThreadPoolExecutor(8) as threads:
        service = service_of(database)
        assert service.run(asked("SELECT 1", 30.0)).rows == [("1",)]

        def ends_as(timeout_s: float) -> str:
            try:
                service.run(asked("SELECT count(*) FROM information_schema.tables", timeout_s))
            except (DatabaseError, DeadlinePassed) as error:
                return type(error).__name__
            return "answered"

        with mortal.frozen():
            began = time.monotonic()
            ends = {done.result(30) for done in [threads.submit(ends_as, 0.5) for _ in range(8)]}
            assert "answered" not in ends
            # its own time, the silence that is allowed for, and more than a machine may hang
            assert time.monotonic() - began < 15.0

            def is_refused() -> bool:
                """Tell whether the breaker is open; now and then it lets one try."""
                try:
                    with database.connection():
                        pytest.fail("lent")
                except BreakerOpen:
                    return True
                except DatabaseUnavailable:
                    return False

            eventually(lambda: bool(ends_as(0.2)) and is_refused())
        eventually(lambda: ends_as(5.0) == "answered")
        assert database.status().breaker == "closed"


def test_the_readiness_check_finds_a_server_that_hangs(
    mortal: MortalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.checks.PATIENCE_S", 30.0)
    with reader_database(settings_of(mortal), "test") as database:
        check = postgresql_check(database)
        check.probe()
        with mortal.frozen(), monkeypatch.context() as impatient:
            impatient.setattr("app.checks.PATIENCE_S", 0.3)
            with pytest.raises(DatabaseUnavailable):
                check.probe()
        check.probe()


def test_the_check_of_writes_drops_what_it_finds_to_take_none(
    mortal: MortalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.checks.PATIENCE_S", 30.0)
    with own_database(settings_of(mortal), "test") as own:
        check = writes_check(own)
        check.probe()
        with mortal.read_only():
            with pytest.raises(DatabaseReadOnly):
                check.probe()
            with own.connection() as connection:
                before = connection.info.backend_pid
            with pytest.raises(DatabaseReadOnly):
                check.probe()
            with own.connection() as connection:
                assert connection.info.backend_pid != before
        check.probe()
        assert own.status().breaker == "closed"


def test_our_own_statements_end_too_while_postgresql_hangs(
    mortal: MortalPostgres, eventually: Eventually
) -> None:
    database = Database(
        mortal.url, breaker=reader_database(settings_of(mortal), "x").breaker, name="test",
        answer_s=0.1,
    )  # fmt: skip
    with database:
        with (
            pytest.raises(TooSlow, match="does not answer"),
            database.connection() as connection,
            mortal.frozen(),
        ):
            connection.execute("SELECT 1")

        def answers() -> bool:
            """Ask; a machine that hangs may take longer than is allowed here, too."""
            try:
                with database.connection() as connection:
                    return connection.execute("SELECT 1").fetchone() == ("1",)
            except DatabaseError:
                return False

        eventually(answers)


def test_a_cancelled_query_ends_though_postgresql_hears_nothing(mortal: MortalPostgres) -> None:
    with reader_database(settings_of(mortal), "test") as database, ThreadPoolExecutor() as threads:
        control = Control("q", 3600.0)
        run = threads.submit(service_of(database).run, asked(SLOW_SQL, 3600.0), control)
        wait_until_active(mortal)
        with mortal.frozen():
            began = time.monotonic()
            control.cancel("deleted")
            with pytest.raises(Cancelled):
                run.result(30)
            assert time.monotonic() - began < 15.0


def wait_until_active(mortal: MortalPostgres) -> int:
    """Return the process id of the session that runs the slow query."""
    deadline = time.monotonic() + 30
    with psycopg.connect(mortal.url, autocommit=True) as owner:
        while True:
            found = owner.execute(
                "SELECT pid FROM pg_stat_activity WHERE state = 'active' "
                "AND query LIKE '%AS slow%' AND pid <> pg_backend_pid()"
            ).fetchone()
            if found is not None:
                return int(found[0])
            assert time.monotonic() < deadline


def test_what_only_reads_goes_on_while_postgresql_takes_no_writes(mortal: MortalPostgres) -> None:
    with psycopg.connect(mortal.url, autocommit=True) as owner:
        owner.execute("DROP TABLE IF EXISTS written")
        owner.execute("CREATE TABLE written (n int)")
    with own_database(settings_of(mortal), "test") as own:
        with mortal.read_only():
            for _ in range(3):
                with pytest.raises(DatabaseReadOnly) as refused, own.connection() as connection:
                    connection.execute("INSERT INTO public.written VALUES (1)")
                assert refused.value.retry_after_s > 0
                with own.connection() as connection:
                    rows = connection.execute("SELECT count(*) FROM public.written").fetchall()
                    assert rows == [("0",)]
            assert own.status().breaker == "closed"
        with own.connection() as connection:
            connection.execute("INSERT INTO public.written VALUES (1)")


def test_a_user_who_tries_to_write_is_no_sign_of_a_read_only_server(mortal: MortalPostgres) -> None:
    with (
        reader_database(settings_of(mortal), "test") as database,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        database.connection() as connection,
    ):
        connection.execute("CREATE TABLE no (n int)")


def test_a_query_whose_connection_is_cut_is_run_again_once(
    mortal: MortalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = 0

    def cut(database: Database, times: int) -> Callable[..., object]:
        """Let a query's connection be cut when it begins to run, so often."""
        original = QueryService._run_direct

        def run(self: QueryService, transaction: object, *rest: object) -> object:
            nonlocal cuts
            if cuts < times:
                cuts += 1
                with psycopg.connect(mortal.url, autocommit=True) as killer:
                    connection = transaction._connection  # type: ignore[attr-defined]
                    pid = connection.info.backend_pid
                    killer.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
            return original(self, transaction, *rest)  # type: ignore[arg-type]

        return run

    with reader_database(settings_of(mortal), "test") as database:
        service = service_of(database)
        with monkeypatch.context() as patched:
            patched.setattr(QueryService, "_run_direct", cut(database, 1))
            assert service.run(asked("SELECT 1", 30.0)).rows == [("1",)]
        cuts = 0
        with monkeypatch.context() as patched:
            patched.setattr(QueryService, "_run_direct", cut(database, 3))
            with pytest.raises(ConnectionLost):
                service.run(asked("SELECT 1", 30.0))
        assert cuts == 2


def test_a_stream_whose_connection_is_cut_before_its_first_byte_is_begun_again(
    mortal: MortalPostgres, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", mortal.url)
    monkeypatch.setenv("MILLRACE_READER_URL", mortal.url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    services = build_services(ReplicaSettings.from_environment())
    client = build_app(services).test_client()
    original = QueryService._open_direct
    left = 0

    def cut(self: QueryService, transaction: Any, *rest: Any) -> object:
        nonlocal left
        if left:
            left -= 1
            with psycopg.connect(mortal.url, autocommit=True) as killer:
                pid = transaction._connection.info.backend_pid
                killer.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        return original(self, transaction, *rest)

    monkeypatch.setattr(QueryService, "_open_direct", cut)
    with services.database:
        left = 1
        answer = client.post("/v1/query?format=csv", json={"sql": "SELECT 1 AS one"})
        assert answer.text.split() == ["one", "1"]
        left = 2
        answer = client.post("/v1/query?format=csv", json={"sql": "SELECT 1 AS one"})
        assert answer.status_code == 503
        assert left == 0
    close(services)


def test_a_pool_makes_few_connections_at_a_time(
    mortal: MortalPostgres, eventually: Eventually
) -> None:
    everybody = threading.Barrier(10, timeout=30)
    held = threading.Event()
    with (
        reader_database(settings_of(mortal, pool_size=10), "test") as database,
        ThreadPoolExecutor(10) as threads,
    ):
        making = most = 0
        lock = threading.Lock()
        connect = database._pool._connect

        def counted(*arguments: float) -> object:
            nonlocal making, most
            with lock:
                making += 1
                most = max(most, making)
            try:
                return connect(*arguments)
            finally:
                with lock:
                    making -= 1

        database._pool._connect = counted  # type: ignore[method-assign,assignment]

        def use() -> None:
            everybody.wait()
            with database.connection():
                held.wait(30)

        users = [threads.submit(use) for _ in range(10)]
        eventually(lambda: database.status().in_use == 10)
        held.set()
        for user in users:
            user.result(30)
        assert 1 <= most <= 2

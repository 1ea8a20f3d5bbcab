"""Lending connections: bounded, side by side, and clean for the next user."""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from db.database import Database
from db.errors import CheckoutTimeout, DatabaseUnavailable
from db.reader import reader_database
from db.settings import DatabaseSettings


def small(settings: DatabaseSettings, **changes: object) -> Database:
    return reader_database(settings.model_copy(update=changes), "test")


def backend_pid(database: Database) -> str | None:
    with database.connection() as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        return row[0] if row else None


def test_who_finds_all_in_use_waits_for_no_longer_than_asked(settings: DatabaseSettings) -> None:
    with small(settings, pool_size=1, pool_wait_s=30.0) as database, database.connection():
        with pytest.raises(CheckoutTimeout) as refused, database.connection(timeout_s=0.05):
            pytest.fail("lent twice")
        assert refused.value.waited_s == pytest.approx(0.05)
        status = database.status()
        assert (status.max_size, status.size, status.in_use, status.breaker) == (1, 1, 1, "closed")


def test_who_waits_gets_the_connection_that_is_given_back(
    settings: DatabaseSettings, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with (
        small(settings, pool_size=1, pool_wait_s=30.0) as database,
        ThreadPoolExecutor() as threads,
    ):
        with database.connection():
            answer = threads.submit(backend_pid, database)
            eventually(lambda: database.status().waiting == 1)
        assert answer.result(30)


def test_when_too_many_wait_the_next_is_turned_away_at_once(
    settings: DatabaseSettings, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with (
        small(settings, pool_size=1, pool_wait_s=30.0, max_waiting=1) as database,
        ThreadPoolExecutor() as threads,
    ):
        with database.connection():
            answer = threads.submit(backend_pid, database)
            eventually(lambda: database.status().waiting == 1)
            with pytest.raises(CheckoutTimeout) as refused, database.connection():
                pytest.fail("lent")
            assert refused.value.waited_s == 0.0
        assert answer.result(30)


def test_waiting_for_a_free_connection_never_opens_the_breaker(settings: DatabaseSettings) -> None:
    with small(settings, pool_size=1, breaker_failures=1) as database, database.connection():
        for _ in range(3):
            with pytest.raises(CheckoutTimeout), database.connection(timeout_s=0.01):
                pytest.fail("lent")
        assert database.status().breaker == "closed"


def test_five_slow_queries_run_side_by_side(
    settings: DatabaseSettings, database_url: str, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    def query(database: Database) -> None:
        with database.connection() as connection:
            connection.execute("SELECT pg_advisory_lock_shared(5)")

    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with (
        small(settings) as database,
        ThreadPoolExecutor(5) as threads,
        psycopg.connect(database_url, autocommit=True) as owner,
    ):
        owner.execute("SELECT pg_advisory_lock(5)")
        queries = [threads.submit(query, database) for _ in range(5)]
        eventually(lambda: owner.execute(waiting).fetchone() == (5,))
        owner.execute("SELECT pg_advisory_unlock(5)")
        for done in queries:
            done.result(30)


def test_nothing_of_one_user_meets_the_next(settings: DatabaseSettings) -> None:
    with small(settings, pool_size=1) as database:
        with database.connection() as connection:
            connection.execute("SELECT set_config('search_path', 'evil', false)")
            connection.execute("SELECT set_config('default_transaction_read_only', 'off', false)")
            connection.execute("SELECT pg_advisory_lock(1)")
            connection.execute("BEGIN")
            connection.execute("SELECT pg_advisory_lock(2), set_config('TimeZone', 'NZ', false)")
            with contextlib.suppress(psycopg.Error):
                connection.execute("SELECT 1 / 0")
            pid = connection.info.backend_pid
        with database.connection() as connection:
            assert connection.info.backend_pid == pid
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            assert connection.execute(
                "SELECT current_setting('search_path'), current_setting('TimeZone'), "
                "current_setting('default_transaction_read_only'), "
                "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
                " AND pid = pg_backend_pid())"
            ).fetchone() == ('pg_catalog,"public"', "UTC", "on", "0")


def test_autocommit_switched_off_is_on_again_for_the_next(settings: DatabaseSettings) -> None:
    with small(settings, pool_size=1) as database:
        with database.connection() as connection:
            connection.autocommit = False
            connection.execute("SELECT 1")
        with database.connection() as connection:
            assert connection.autocommit


def test_leaving_in_the_middle_of_a_query_cancels_it(
    settings: DatabaseSettings, database_url: str, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    def activity() -> tuple[str, str] | None:
        with psycopg.connect(database_url) as owner:
            return owner.execute(
                "SELECT state, query FROM pg_stat_activity WHERE pid = %s", [pid]
            ).fetchone()

    with small(settings, pool_size=1) as database:
        with database.connection() as connection:
            pid = connection.info.backend_pid
            # else the server would notice by itself, within a second, that nobody listens
            connection.execute("SELECT set_config('client_connection_check_interval', '0', false)")
            connection.pgconn.send_query(b"SELECT pg_sleep(1000)")
            # PostgreSQL ignores a cancel that comes before the statement has begun
            eventually(lambda: activity() == ("active", "SELECT pg_sleep(1000)"))
        eventually(lambda: activity() is None)
        assert backend_pid(database) != str(pid)
        assert database.status().breaker == "closed"


def test_the_users_errors_pass_through_and_never_open_the_breaker(
    settings: DatabaseSettings,
) -> None:
    with small(settings, breaker_failures=1) as database:
        for sql, error in [
            ("SELEC", psycopg.errors.SyntaxError),
            ("SELECT * FROM missing", psycopg.errors.UndefinedTable),
            ("SELECT 1 / 0", psycopg.errors.DivisionByZero),
            ("SET statement_timeout = 20; SELECT pg_sleep(60)", psycopg.errors.QueryCanceled),
        ]:
            with pytest.raises(error), database.connection() as connection:
                connection.execute(sql.encode())
        assert database.status().breaker == "closed"


def test_a_closed_pool_is_unavailable(settings: DatabaseSettings) -> None:
    with small(settings) as database:
        assert backend_pid(database)
    with pytest.raises(DatabaseUnavailable, match="closed"), database.connection():
        pytest.fail("lent")


def test_an_idle_connection_that_was_cut_is_replaced_unnoticed(
    settings: DatabaseSettings, database_url: str
) -> None:
    with small(settings) as database, psycopg.connect(database_url, autocommit=True) as owner:
        with contextlib.ExitStack() as several:
            for _ in range(3):
                several.enter_context(database.connection())
        owner.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert backend_pid(database)
        assert database.status().breaker == "closed"

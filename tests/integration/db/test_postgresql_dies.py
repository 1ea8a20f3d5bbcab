"""PostgreSQL goes away and comes back: fast, clear errors, then service again."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from db.breaker import Breaker, BreakerRules, BreakerState
from db.database import Database
from db.errors import BreakerOpen, DatabaseError, DatabaseUnavailable
from db.sqlstate import judge
from tests.integration.db.conftest import MortalPostgres

Eventually = Callable[[Callable[[], bool]], None]


class Clock:
    """Monotonic time that a test can jump ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return time.monotonic() + self.ahead


class Watched:
    """A database whose breaker opens after three failures, for an hour of its own clock."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.changes: list[tuple[BreakerState, BreakerState]] = []
        breaker = Breaker(
            judge, BreakerRules(failures=3, reset_s=3600.0, reset_max_s=3600.0), clock=self.clock,
            listeners=[lambda old, new, error: self.changes.append((old, new))],
        )  # fmt: skip
        self.database = Database(url, breaker=breaker, name="test", pool_wait_s=60.0)

    def answers(self) -> bool:
        """Ask the database; False when it is unavailable."""
        try:
            with self.database.connection() as connection:
                return connection.execute("SELECT 1").fetchone() == ("1",)
        except DatabaseUnavailable:
            return False

    def fail_until_open(self) -> None:
        """Call until the breaker opens."""
        for _ in range(3):
            assert not self.answers()
        assert self.database.status().breaker == "open"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_calls_fail_without_waiting_until_the_breaker_refuses_them(
    mortal: MortalPostgres, end: str
) -> None:
    watched = Watched(mortal.url)
    with watched.database as database:
        with contextlib.ExitStack() as several:
            for _ in range(4):
                several.enter_context(database.connection())
        getattr(mortal, end)()
        began = time.monotonic()
        watched.fail_until_open()
        assert time.monotonic() - began < 30  # half of the time that a caller would wait
        with pytest.raises(BreakerOpen), database.connection():
            pytest.fail("lent")


def test_a_pool_opens_without_postgresql_and_serves_once_it_is_there(
    mortal: MortalPostgres, eventually: Eventually
) -> None:
    mortal.stop()
    watched = Watched(mortal.url)
    with watched.database as database:
        watched.fail_until_open()
        mortal.start()
        assert not watched.answers()
        watched.clock.ahead += 3600.0
        eventually(watched.answers)
        assert database.status().breaker == "closed"


def test_a_restart_between_two_queries_goes_unnoticed(mortal: MortalPostgres) -> None:
    watched = Watched(mortal.url)
    with watched.database as database:
        with contextlib.ExitStack() as several:
            for _ in range(5):
                several.enter_context(database.connection())
        mortal.stop()
        mortal.start()
        assert watched.answers()
        assert watched.changes == []


def lose_connection(database: Database, url: str) -> None:
    """Have the connection cut by an administrator, then use it."""
    with psycopg.connect(url, autocommit=True) as killer, database.connection() as connection:
        killer.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
        connection.execute("SELECT 1")


def lose_connection_and_hide_it(database: Database, url: str) -> None:
    """Do the same, but leave the block with an error of the caller's own."""
    with psycopg.connect(url, autocommit=True) as killer, database.connection() as connection:
        killer.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
        try:
            connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise RuntimeError("the query failed") from error


@pytest.mark.parametrize("lose", [lose_connection, lose_connection_and_hide_it])
def test_a_query_that_loses_its_connection_is_told_and_counts(
    mortal: MortalPostgres, lose: Callable[[Database, str], None]
) -> None:
    with Watched(mortal.url).database as database:
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                lose(database, mortal.url)
        assert database.status().breaker == "open"


def test_fifty_threads_at_a_recovering_server_make_one_trial_call(mortal: MortalPostgres) -> None:
    watched = Watched(mortal.url)
    with watched.database as database, ThreadPoolExecutor(50) as threads:
        mortal.kill()
        watched.fail_until_open()
        watched.changes.clear()
        watched.clock.ahead += 3600.0
        everybody = threading.Barrier(50, timeout=60)

        def call() -> str:
            everybody.wait()
            try:
                with database.connection():
                    return "lent"
            except DatabaseError as error:
                return type(error).__name__

        outcomes = [done.result(60) for done in [threads.submit(call) for _ in range(50)]]
        # the server is still down: the one trial fails, and the 49 others never asked
        assert sorted(outcomes) == ["BreakerOpen"] * 49 + ["DatabaseUnavailable"]
        assert watched.changes == [("open", "half_open"), ("half_open", "open")]

        mortal.start()
        watched.changes.clear()
        watched.clock.ahead += 3600.0
        outcomes = [done.result(60) for done in [threads.submit(call) for _ in range(50)]]
        assert set(outcomes) <= {"BreakerOpen", "lent"}
        assert watched.changes == [("open", "half_open"), ("half_open", "closed")]


def test_a_long_first_query_after_the_outage_keeps_nobody_waiting(mortal: MortalPostgres) -> None:
    watched = Watched(mortal.url)
    with watched.database as database:
        mortal.kill()
        watched.fail_until_open()
        mortal.start()
        watched.clock.ahead += 3600.0
        with database.connection():  # is at work on a long query
            assert watched.answers()


def test_a_server_full_of_connections_serves_those_who_have_some(
    mortal: MortalPostgres, eventually: Eventually
) -> None:
    watched = Watched(mortal.url)
    with (
        watched.database as database,
        contextlib.ExitStack() as others,
        ThreadPoolExecutor() as threads,
    ):
        with contextlib.ExitStack() as ours:
            ours.enter_context(database.connection())
            with contextlib.suppress(psycopg.OperationalError):
                while True:  # as the owner, a superuser: takes the reserved ones, too
                    others.enter_context(psycopg.connect(mortal.url))
            while database.status().in_use < database.status().size:
                ours.enter_context(database.connection())
            answers = [threads.submit(watched.answers) for _ in range(5)]
            eventually(lambda: database._pool.get_stats().get("connections_errors", 0) >= 2)
        assert all(answer.result(60) for answer in answers)
        assert database.status().breaker == "closed"

"""Our pools of connections, with a spoilt line between them and PostgreSQL.

Whatever the line does: an answer is whole and right, or it is an error that says what happened.
"""

import contextlib
import threading

import psycopg
import pytest

from cli.faults.rules import Rule, Rules
from db.database import Database
from db.errors import BreakerOpen, DatabaseError, DatabaseUnavailable
from tests.chaos.local_proxy import LocalProxy, until
from tests.chaos.pooled import ALL, ROWS, answers, ask


@pytest.mark.parametrize("share", [0.0, 0.01, 0.4, 0.99])
def test_a_result_that_is_cut_off_is_an_error_and_never_a_shorter_result(
    database: Database, postgres_proxy: LocalProxy, share: float
) -> None:
    size = len("".join(f"{row[0]}{row[1]}" for row in ask(database)))
    postgres_proxy.set(Rules(to_client=Rule(cut_after_bytes=int(size * share))))
    with pytest.raises(DatabaseUnavailable):
        ask(database)
    postgres_proxy.reset()
    until(lambda: answers(database))
    assert len(ask(database)) == ROWS


def test_rows_that_came_before_the_cut_are_right_and_the_stream_fails(
    database: Database, postgres_proxy: LocalProxy
) -> None:
    seen: list[tuple[str | None, ...]] = []

    def stream() -> None:
        with database.connection() as connection, connection.cursor() as cursor:
            for row in cursor.stream(ALL):
                seen.append(row)
                if len(seen) == 100:
                    postgres_proxy.cut()

    with pytest.raises(DatabaseUnavailable):
        stream()
    assert 100 <= len(seen) < ROWS
    assert [row[0] for row in seen] == [str(number) for number in range(1, len(seen) + 1)]


def test_idle_connections_that_were_cut_are_replaced_unseen(
    database: Database, postgres_proxy: LocalProxy
) -> None:
    for _ in range(5):
        # one that is just being made would be cut before it is a connection, which is seen
        until(lambda: database.status().in_use == 0)
        assert postgres_proxy.cut() >= 1
        assert ask(database, "SELECT 1") == [("1",)]


def test_a_refusing_server_fails_fast_until_it_takes_connections_again(
    database: Database, postgres_proxy: LocalProxy
) -> None:
    postgres_proxy.set(Rules(refuse=True))
    postgres_proxy.cut()

    def is_refused() -> bool:
        try:
            return not answers(database)
        except DatabaseError:
            return True

    assert is_refused()
    for _ in range(20):
        with contextlib.suppress(DatabaseUnavailable):
            ask(database, "SELECT 1")
    assert database.status().breaker != "closed"
    postgres_proxy.reset()
    until(lambda: answers(database))
    assert database.status().breaker == "closed"


def test_a_slow_line_makes_answers_late_and_not_wrong(
    database: Database, postgres_proxy: LocalProxy
) -> None:
    whole = ask(database)
    postgres_proxy.set(Rules(to_client=Rule(delay_s=0.02, jitter_s=0.02)))
    assert ask(database) == whole
    postgres_proxy.set(Rules(to_server=Rule(bytes_per_s=20_000)))
    assert ask(database) == whole


def test_nobody_gets_what_was_meant_for_another_after_cuts_at_any_place(
    database: Database, postgres_proxy: LocalProxy
) -> None:
    right = wrong = 0
    for number in range(60):
        postgres_proxy.set(Rules(to_client=Rule(cut_after_bytes=7 * number)))
        try:
            rows = ask(database, f"SELECT {number}, repeat('x', {number})")
        except (DatabaseUnavailable, BreakerOpen):
            postgres_proxy.cut()
        else:
            right += rows == [(str(number), "x" * number)]
            wrong += rows != [(str(number), "x" * number)]
    assert wrong == 0
    postgres_proxy.reset()
    until(lambda: answers(database))


def test_a_cancellation_finds_its_way_through_the_proxy(
    far_database_url: str, database_url: str
) -> None:
    with (
        psycopg.connect(far_database_url, autocommit=True) as connection,
        psycopg.connect(database_url, autocommit=True) as watching,
    ):
        pid = connection.info.backend_pid

        def cancel() -> None:
            state = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = %s"
            until(lambda: (watching.execute(state, [pid]).fetchone() or (False,))[0])
            connection.cancel_safe(timeout=60)

        cancelling = threading.Thread(target=cancel)
        cancelling.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(60)")
        cancelling.join()
        assert connection.execute("SELECT 1").fetchone() == (1,)

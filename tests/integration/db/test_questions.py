"""Several questions are answered in one round trip, or refused with the first error."""

import psycopg
import pytest

from db.questions import Described, Description, ResultColumn, Rows, ask
from db.reader import reader_database
from db.settings import DatabaseSettings

INT4 = 23


def test_rows_and_descriptions_come_in_their_order(settings: DatabaseSettings) -> None:
    with reader_database(settings, "test") as database, database.connection() as connection:
        replies = ask(
            connection,
            Rows("SELECT $1::int + 1, NULL", ["4"]),
            Description("SELECT $1::int AS one"),
            Rows("SELECT 'ä', '' WHERE false"),
            Rows("SELECT i FROM generate_series(1, 3) AS i"),
        )
        assert replies.rows == ([("5", None)], [], [("1",), ("2",), ("3",)])
        assert replies.descriptions == (Described((ResultColumn(INT4, -1, "one"),), (INT4,)),)


def test_rows_are_whole_after_others_were_streamed(settings: DatabaseSettings) -> None:
    with reader_database(settings, "test") as database, database.connection() as connection:
        for size in (1, 2):
            streamed = connection.cursor().stream(b"SELECT generate_series(1, 5)", size=size)
            assert len(list(streamed)) == 5
            replies = ask(connection, Rows("SELECT generate_series(1, 5)"), Rows("SELECT 1"))
            assert list(map(len, replies.rows)) == [5, 1]


@pytest.mark.parametrize("bad", [Rows("SELECT missing"), Description("SELECT missing")])
def test_the_first_error_is_raised_and_the_connection_goes_on(
    settings: DatabaseSettings, bad: Rows | Description
) -> None:
    with reader_database(settings, "test") as database, database.connection() as connection:
        with pytest.raises(psycopg.errors.UndefinedColumn):
            ask(connection, Rows("SELECT 1"), bad, Description("SELECT 2"), Rows("SELECT 3"))
        assert ask(connection, Rows("SELECT 4")).rows == ([("4",)],)
        assert connection.execute("SELECT 5").fetchone() == ("5",)


def test_a_failed_transaction_stays_failed(settings: DatabaseSettings) -> None:
    with reader_database(settings, "test") as database, database.connection() as connection:
        connection.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            ask(connection, Rows("SELECT 1 / 0"), Rows("SELECT 1"))
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            ask(connection, Rows("SELECT 1"))
        connection.execute("ROLLBACK")
        assert ask(connection, Rows("SELECT 6")).rows == ([("6",)],)


def test_two_statements_in_one_question_are_refused(settings: DatabaseSettings) -> None:
    with reader_database(settings, "test") as database, database.connection() as connection:
        for question in (Rows("SELECT 1; SELECT 2"), Description("SELECT 1; SELECT 2")):
            with pytest.raises(psycopg.errors.SyntaxError):
                ask(connection, question)


def test_a_session_that_is_ended_meanwhile_is_told_of_and_not_used_again(
    settings: DatabaseSettings,
) -> None:
    with reader_database(settings, "test") as database:
        with database.connection() as connection, psycopg.connect(settings.url) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
            with pytest.raises(psycopg.OperationalError):
                ask(connection, Rows("SELECT pg_sleep(20)"), Rows("SELECT 1"))
        with database.connection() as connection:
            assert ask(connection, Rows("SELECT 7")).rows == ([("7",)],)


def test_a_kept_statement_is_prepared_once(settings: DatabaseSettings) -> None:
    kept = Rows("SELECT $1::int * 2", ["4"], is_kept=True)
    with reader_database(settings, "test") as database, database.connection() as connection:
        assert ask(connection, kept, Description("SELECT 1"), kept).rows == ([("8",)], [("8",)])
        for begin, end in (("BEGIN", "ROLLBACK"), ("SELECT 1", "SELECT 1")):
            connection.execute(begin.encode())
            assert ask(connection, Rows("SELECT 1"), kept).rows == ([("1",)], [("8",)])
            connection.execute(end.encode())
        ((statements, plans),) = ask(
            connection,
            Rows(
                "SELECT count(*), sum(generic_plans + custom_plans) FROM pg_prepared_statements"
                " WHERE statement LIKE '%* 2'"
            ),
        ).rows[0]
        assert (statements, plans) == ("1", "4")


def test_a_kept_statement_that_was_not_prepared_is_so_the_next_time(
    settings: DatabaseSettings,
) -> None:
    kept = Rows("SELECT 9", is_kept=True)
    with reader_database(settings, "test") as database, database.connection() as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            ask(connection, Rows("SELECT 1 / 0"), kept)
        connection.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            ask(connection, Rows("SELECT 1 / 0"))
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            ask(connection, kept)
        connection.execute("ROLLBACK")
        with pytest.raises(psycopg.errors.UndefinedColumn):
            ask(connection, Rows("SELECT missing", is_kept=True))
        assert ask(connection, kept).rows == ([("9",)],)
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            ask(connection, Rows("SELECT $1::int", ["x"], is_kept=True))
        assert ask(connection, Rows("SELECT $1::int", ["7"], is_kept=True)).rows == ([("7",)],)

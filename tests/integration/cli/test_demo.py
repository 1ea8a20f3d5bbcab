"""`millrace demo`, into a real PostgreSQL."""

from collections.abc import Callable

import psycopg
import pytest
from click.testing import CliRunner, Result

from cli.demo import demo
from cli.errors import CommandError
from db.migrate import migrate
from db.settings import DatabaseSettings

Run = Callable[[], Result]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `millrace demo` against a new database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return lambda: CliRunner().invoke(demo)


def one_row(url: str, query: str) -> tuple[object, ...] | None:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchone()


def test_the_demo_table_is_made_once_and_not_again_after_it_was_dropped(
    database_url: str, run: Run
) -> None:
    migrate(database_url, DatabaseSettings(url=database_url))
    assert run().output == "demo table: public.numbers, 100,000 rows\n"
    assert one_row(database_url, "SELECT count(*), sum(n) FROM numbers") == (100_000, 5_017_221_223)
    assert "nothing changed" in run().output
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE numbers")
    assert "nothing changed" in run().output
    assert one_row(database_url, "SELECT to_regclass('numbers')") == (None,)


def test_a_table_of_ones_own_with_that_name_stays(database_url: str, run: Run) -> None:
    migrate(database_url, DatabaseSettings(url=database_url))
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT 1 AS mine")
    assert "nothing changed" in run().output
    assert one_row(database_url, "SELECT mine FROM numbers") == (1,)


def test_a_database_that_was_not_migrated_is_refused_with_the_remedy(run: Run) -> None:
    result = run()
    assert isinstance(result.exception, CommandError)
    assert result.exception.exit_code == 6
    assert "python -m db.migrate" in str(result.exception)


def test_without_a_database_it_says_where_the_demo_table_is_anyway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    result = CliRunner().invoke(demo)
    assert result.exit_code == 2
    assert "millrace up" in result.output

"""PostgreSQL that says nothing at all: our pools keep the deadlines that it cannot keep."""

from collections.abc import Iterator

import psycopg
import pytest

from cli.faults.rules import Rule, Rules
from db.database import Database
from db.errors import DatabaseError, DatabaseUnavailable
from db.reader import reader_database
from db.settings import DatabaseSettings
from tests.chaos.local_proxy import LocalProxy, until
from tests.chaos.pooled import ROWS, answers, ask

SILENT = Rules(to_server=Rule(swallow=True), to_client=Rule(swallow=True))


@pytest.fixture
def database(far_database_url: str) -> Iterator[Database]:
    """A pool like the replica's, with short times."""
    settings = DatabaseSettings(
        url=far_database_url, pool_size=2, pool_wait_s=2.0, connect_timeout_s=2,
        statement_timeout_s=0.5, breaker_reset_s=0.05, breaker_reset_max_s=0.05,
    )  # fmt: skip
    with reader_database(settings, "test", url=far_database_url) as database:
        until(lambda: answers(database))
        yield database


def all_rows(database: Database) -> bool:
    """Tell whether a query is answered whole, within those times."""
    try:
        return len(ask(database)) == ROWS
    except (DatabaseError, psycopg.errors.QueryCanceled):
        return False


def test_a_server_out_of_reach_is_told_and_used_again_once_it_is_back(
    database: Database, postgres_proxy: LocalProxy
) -> None:
    postgres_proxy.set(SILENT)
    with pytest.raises(DatabaseUnavailable):
        ask(database)
    with pytest.raises(DatabaseUnavailable):
        ask(database)
    postgres_proxy.reset()
    until(lambda: all_rows(database))


def test_a_connection_that_is_open_on_our_side_alone_is_given_up(
    database: Database, postgres_proxy: LocalProxy
) -> None:
    assert postgres_proxy.half_open() >= 1
    with pytest.raises(DatabaseUnavailable):
        ask(database)
    until(lambda: answers(database))

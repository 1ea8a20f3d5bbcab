"""PostgreSQL that says nothing at all: our pools keep the deadlines that it cannot keep."""

import pytest

from cli.faults.rules import Rule, Rules
from db.database import Database
from db.errors import DatabaseUnavailable
from tests.chaos.local_proxy import LocalProxy, until
from tests.chaos.pooled import ROWS, answers, ask

SILENT = Rules(to_server=Rule(swallow=True), to_client=Rule(swallow=True))


def test_a_server_out_of_reach_is_told_and_used_again_once_it_is_back(
    database: Database, postgres_proxy: LocalProxy
) -> None:
    postgres_proxy.set(SILENT)
    with pytest.raises(DatabaseUnavailable):
        ask(database)
    with pytest.raises(DatabaseUnavailable):
        ask(database)
    postgres_proxy.reset()
    until(lambda: answers(database))
    assert len(ask(database)) == ROWS


def test_a_connection_that_is_open_on_our_side_alone_is_given_up(
    database: Database, postgres_proxy: LocalProxy
) -> None:
    assert postgres_proxy.half_open() >= 1
    with pytest.raises(DatabaseUnavailable):
        ask(database)
    until(lambda: answers(database))

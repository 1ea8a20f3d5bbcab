"""A query that somebody ends from outside."""

import threading

import pytest

from app.queries.control import Control
from app.queries.errors import Cancelled
from app.queries.request import QueryInput
from app.queries.service import QueryService
from db.database import Database
from tests.integration.app.conftest import wait_until

SLOW = "SELECT count(*) FROM generate_series(1, 3000000000) AS slow_control_test"


def _is_running(reader: Database) -> bool:
    with reader.connection() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%slow_control_test%' "
            "AND state = 'active' AND pid <> pg_backend_pid()"
        ).fetchone()
    return row != ("0",)


def test_a_cancelled_query_ends_on_postgresql_too(service: QueryService, reader: Database) -> None:
    control = Control("q", 60.0)

    def cancel_when_it_runs() -> None:
        wait_until(lambda: _is_running(reader), "it runs")
        assert control.cancel("deleted")

    other = threading.Thread(target=cancel_when_it_runs)
    other.start()
    with pytest.raises(Cancelled, match="deleted"):
        service.run(QueryInput(SLOW, (), 60.0, 10, "direct"), control)
    other.join()
    wait_until(lambda: not _is_running(reader), "it has ended there")
    assert not control.cancel("client gone")


def test_a_query_that_was_cancelled_before_does_not_run(service: QueryService) -> None:
    control = Control("q", 60.0)
    control.cancel("client gone")
    with pytest.raises(Cancelled):
        service.run(QueryInput("SELECT 1", (), 60.0, 10, "direct"), control)

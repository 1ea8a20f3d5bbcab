"""Fragments run on PostgreSQL: exact values, one snapshot, and errors that say what happened."""

import threading
import time

import psycopg
import pytest

from db.breaker import Breaker
from db.database import Database
from db.sqlstate import judge
from query.fragment import ColumnType, FragmentError, Partial
from tasks.errors import TaskFailed
from tasks.lease import end
from tests.integration.app.conftest import wait_until
from tests.integration.worker.conftest import exported_snapshot, fragment, lease_of, sleeping
from worker.fragment_runner import FragmentRunner

NUMERIC_12_2 = (12 << 16 | 2) + 4


@pytest.fixture
def runner(database: Database) -> FragmentRunner:
    return FragmentRunner(database)


def error_of(failure: pytest.ExceptionInfo[TaskFailed]) -> FragmentError:
    return FragmentError.decode(failure.value.error)


def test_a_partial_has_columns_types_and_postgresqls_own_text(
    runner: FragmentRunner, snapshot: str
) -> None:
    task = fragment("SELECT n, round, amount FROM t WHERE n <= $1 ORDER BY n", snapshot, "3")
    partial = Partial.decode(runner.run(lease_of(task)))
    assert partial == Partial(
        (
            ColumnType(23, -1, "n"),
            ColumnType(16, -1, "round"),
            ColumnType(1700, NUMERIC_12_2, "amount"),
        ),
        [["1", "2", "3"], ["f", "f", "f"], ["0.25", "0.50", None]],
        3,
    )
    assert partial.postgresql_s > 0


def test_rows_of_many_batches_come_complete_and_in_order(
    runner: FragmentRunner, snapshot: str
) -> None:
    task = fragment("SELECT n FROM t ORDER BY n", snapshot)
    partial = Partial.decode(runner.run(lease_of(task)))
    assert partial.data == [[str(n) for n in range(1, 20_001)]]
    assert partial.row_count == 20_000


def test_no_rows_still_have_columns(runner: FragmentRunner, snapshot: str) -> None:
    partial = Partial.decode(runner.run(lease_of(fragment("SELECT n FROM t LIMIT 0", snapshot))))
    assert partial == Partial((ColumnType(23, -1, "n"),), [[]], 0)


def test_a_fragment_sees_the_state_of_its_snapshot(
    runner: FragmentRunner, snapshot: str, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM t")
    partial = Partial.decode(runner.run(lease_of(fragment("SELECT count(*) FROM t", snapshot))))
    assert partial.data == [["20000"]]


def test_a_snapshot_that_is_gone_is_told_from_an_error_in_the_sql(
    runner: FragmentRunner, settings: object, database_url: str
) -> None:
    with exported_snapshot(database_url) as snapshot:
        pass
    for name in (snapshot, "no'snapshot"):
        with pytest.raises(TaskFailed) as failure:
            runner.run(lease_of(fragment("SELECT 1", name)))
        assert error_of(failure).kind == "snapshot"


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SELECT 1 / (n - 1) FROM t", "22012"),
        ("SELECT nothing FROM t", "42703"),
        ("SELECT 1 / (n - 20000) FROM t ORDER BY n", "22012"),  # found after the first batch
    ],
)
def test_an_error_in_the_sql_carries_its_sqlstate(
    runner: FragmentRunner, snapshot: str, sql: str, sqlstate: str
) -> None:
    with pytest.raises(TaskFailed) as failure:
        runner.run(lease_of(fragment(sql, snapshot)))
    error = error_of(failure)
    assert (error.kind, error.sqlstate) == ("sql", sqlstate)
    partial = Partial.decode(runner.run(lease_of(fragment("SELECT 1", snapshot))))
    assert partial.data == [["1"]]


@pytest.mark.parametrize("limits", [{"max_rows": 500}, {"max_rows": 5000}, {"max_bytes": 30_000}])
def test_a_partial_above_its_limits_is_refused(
    runner: FragmentRunner, snapshot: str, limits: dict[str, int]
) -> None:
    with pytest.raises(TaskFailed) as failure:
        runner.run(lease_of(fragment("SELECT n FROM t", snapshot, **limits)))
    assert error_of(failure).kind == "too_large"


def test_a_partial_of_exactly_max_rows_is_not(runner: FragmentRunner, snapshot: str) -> None:
    for rows in (1, 999, 1000, 11_000, 20_000):
        task = fragment(f"SELECT n FROM t WHERE n <= {rows}", snapshot, max_rows=rows)
        assert Partial.decode(runner.run(lease_of(task))).row_count == rows


def test_a_fragment_ends_when_its_budget_does(runner: FragmentRunner, snapshot: str) -> None:
    began = time.monotonic()
    with pytest.raises(TaskFailed) as failure:
        runner.run(lease_of(fragment("SELECT pg_sleep(60)", snapshot), timeout_s=0.3))
    assert error_of(failure).kind == "timeout"
    assert time.monotonic() - began < 30


def test_a_cancelled_fragment_stops_running(
    runner: FragmentRunner, snapshot: str, database_url: str
) -> None:
    lease = lease_of(fragment("SELECT pg_sleep(100)", snapshot), timeout_s=100)

    def cancel() -> None:
        wait_until(lambda: sleeping(database_url) == 1, "it runs")
        end(lease, "cancelled")

    canceller = threading.Thread(target=cancel)
    canceller.start()
    began = time.monotonic()
    with pytest.raises(TaskFailed) as failure:
        runner.run(lease)
    canceller.join()
    assert error_of(failure).kind == "timeout"
    assert time.monotonic() - began < 90


def test_a_database_out_of_reach_is_told(runner: FragmentRunner) -> None:
    nowhere = Database(
        "postgresql://nobody@/none?host=/nowhere",
        breaker=Breaker(judge),
        name="worker",
        pool_wait_s=1.0,
    )
    with nowhere, pytest.raises(TaskFailed) as failure:
        FragmentRunner(nowhere).run(lease_of(fragment("SELECT 1", "0-0-1")))
    assert error_of(failure).kind == "database"

"""Rows of queries, compared with what hashlib makes of PostgreSQL's values."""

import hashlib
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from hashing.rows import encode_row
from jobs.context import TaskContext
from jobs.errors import TaskCancelled
from jobs.record import NewJob
from jobs.settings import JobSettings
from tests.integration.app.conftest import wait_until
from tests.integration.worker.conftest import sleeping
from tests.integration.worker.rows.conftest import HASH, Office

TABLE = """CREATE TABLE t AS
SELECT n, n::numeric / 8 AS amount, n % 3 = 0 AS third, sqrt(n) AS root, 'text ' || n AS label,
       decode(to_hex(n + 4096), 'hex') AS bytes,
       timestamptz '2024-01-01Z' + n * interval '1s' AS at,
       CASE WHEN n % 5 > 0 THEN n END AS holes
  FROM generate_series(1, 3000) AS n"""


@pytest.fixture
def plain(database_url: str, office: Office) -> Iterator[psycopg.Connection[Any]]:
    """The owner's connection, which has types of its own, unlike ours."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute("GRANT SELECT ON t TO millrace_reader")
        yield connection


def hash_query(office: Office, sql: str, **changes: Any) -> str:
    parameters = {
        "sql": sql, "params": [], "columns": None, "row_encoding": "canonical", "hash": HASH,
    } | changes  # fmt: skip
    return office.jobs.create(NewJob("hash_query", parameters))[0]


def test_rows_are_hashed_by_their_types_in_the_order_of_the_query(
    office: Office, plain: psycopg.Connection[Any]
) -> None:
    sql = "SELECT n, amount, third, root, label, bytes, holes FROM t ORDER BY n DESC"
    job_id = hash_query(office, sql)
    office.work()
    expected = [
        (number, hashlib.sha256(encode_row([*row[:5], bytes(row[5]), row[6]])).hexdigest())
        for number, row in enumerate(plain.execute(sql).fetchall(), 1)
    ]
    assert len(expected) == 3000
    assert office.rows(job_id) == expected
    assert office.outcome(job_id) == {"rows": 3000, "hashed_rows": 3000, "failed_rows": 0}
    assert office.job(job_id).progress.rows == 3000


def test_times_are_text_in_utc_and_parameters_are_bound(
    office: Office, plain: psycopg.Connection[Any]
) -> None:
    job_id = hash_query(
        office, "SELECT n, at FROM t WHERE n = $1::int", params=["7"], columns=["at", "n"]
    )
    office.work()
    row = encode_row(["2024-01-01 00:00:07+00", 7])
    assert office.rows(job_id) == [(1, hashlib.sha256(row).hexdigest())]


def test_by_value_null_is_a_failed_row(office: Office, plain: psycopg.Connection[Any]) -> None:
    job_id = hash_query(
        office, "SELECT n, holes FROM t WHERE n <= 6 ORDER BY n", columns=["holes"],
        row_encoding="value",
    )  # fmt: skip
    office.work()
    assert office.rows(job_id) == [
        (n, hashlib.sha256(str(n).encode()).hexdigest()) for n in (1, 2, 3, 4, 6)
    ]
    assert [(row, line) for row, line, *_ in office.rows(job_id, "errors")] == [(5, None)]


def test_an_attempt_that_was_killed_leaves_nothing(
    office: Office, plain: psycopg.Connection[Any]
) -> None:
    job_id = hash_query(office, "SELECT n FROM t ORDER BY n")
    office.work(kill_share=0.7, seed=5)
    expected = [(n, hashlib.sha256(encode_row([n])).hexdigest()) for n in range(1, 3001)]
    assert office.rows(job_id) == expected


@pytest.mark.parametrize(
    ("sql", "changes", "error_class"),
    [
        ("SELECT 1 / (n - 2) FROM t ORDER BY n", {}, "QueryFailed"),
        ("SELECT nothing FROM t", {}, "QueryFailed"),
        ("SELECT n FROM t", {"columns": ["m"]}, "ColumnUnknown"),
        ("SELECT n, n FROM t", {"row_encoding": "value"}, "ColumnUnknown"),
        ("SELECT * FROM t AS a, t AS b", {"columns": ["label"]}, "ColumnUnknown"),
    ],
)
def test_a_query_that_cannot_work_is_not_tried_again(
    office: Office, plain: psycopg.Connection[Any], sql: str, changes: dict[str, Any],
    error_class: str,
) -> None:  # fmt: skip
    job_id = hash_query(office, sql, **changes)
    office.work()
    job = office.job(job_id)
    assert (job.state, job.error_class) == ("failed", error_class)
    assert office.rows(job_id) == []


class TestOfFewRows:
    """A worker whose settings allow few rows."""

    @pytest.fixture
    def job_settings(self) -> JobSettings:
        return JobSettings(max_query_rows=2999)

    def test_more_rows_than_allowed_fail_the_job(
        self, office: Office, plain: psycopg.Connection[Any]
    ) -> None:
        job_id = hash_query(office, "SELECT n FROM t")
        office.work()
        assert office.job(job_id).error_class == "TooManyRows"


def test_cancelling_stops_the_statement(office: Office, database_url: str) -> None:
    hash_query(office, "SELECT pg_sleep(600)")
    kinds = office.kinds
    plan = office.ledger.claim(kinds, "worker")
    assert plan is not None
    office.ledger.done(
        plan, kinds["hash_query"].perform(plan, TaskContext()), kinds["hash_query"], 5
    )
    office.ledger.settle(plan.job_id)
    claim = office.ledger.claim(kinds, "worker")
    assert claim is not None
    context = TaskContext()
    ended: list[BaseException] = []

    def run() -> None:
        try:
            kinds["hash_query"].perform(claim, context)
        except TaskCancelled as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: sleeping(database_url) == 1, "it runs")
    context.stop("lost")
    thread.join(30)
    assert ended
    wait_until(lambda: sleeping(database_url) == 0, "it has ended there")


def test_decimals_are_exact(office: Office, plain: psycopg.Connection[Any]) -> None:
    job_id = hash_query(office, "SELECT 12345678901234567890.123456789000::numeric, 'NaN'::numeric")
    office.work()
    row = encode_row([Decimal("12345678901234567890.123456789"), Decimal("NaN")])
    assert office.rows(job_id) == [(1, hashlib.sha256(row).hexdigest())]

# ruff: noqa: E501 - SQL reads best on one line
"""Tables that change while a query over their parts runs: the snapshot decides, for all of it."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
import pytest

from app.queries.request import Answer, QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from db.database import Database
from tests.integration.queries.conftest import service_over
from tests.integration.queries.local import LocalDispatcher, LocalScatter

SETTINGS = QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9)


class InterruptedDispatcher(LocalDispatcher):
    """Lets something happen after the snapshot, before the fragments run."""

    def __init__(self, database: Database, event: Callable[[], None]) -> None:
        super().__init__(database)
        self._event = event

    def scatter(  # type: ignore[override]
        self,
        payloads: Sequence[bytes],
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> LocalScatter:
        self._event()
        return super().scatter(payloads, timeout_s=timeout_s, headers=headers)


def ask(service: QueryService, sql: str) -> Answer:
    return service.run(QueryInput(sql, (), 30.0, 10_000))


@contextmanager
def tables(url: str, *statements: str) -> Iterator[psycopg.Connection]:
    """Have the tables that `statements` make, `moving` among them, and drop that at the end."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield connection
        connection.execute("DROP TABLE IF EXISTS moving_next")
        connection.execute("DROP TABLE moving CASCADE")


PARTED = (
    "CREATE TABLE moving (id int, n int) PARTITION BY LIST (n)",
    "CREATE TABLE moving_0 PARTITION OF moving FOR VALUES IN (0)",
    "CREATE TABLE moving_1 PARTITION OF moving FOR VALUES IN (1)",
    "INSERT INTO moving SELECT i, i % 2 FROM generate_series(1, 3000) i",
    "CREATE TABLE moving_next (id int, n int)",
    "INSERT INTO moving_next SELECT i, 2 FROM generate_series(1, 1000) i",
)
INHERITED = (
    "CREATE TABLE moving (id int, n int)",
    "CREATE TABLE moving_1 () INHERITS (moving)",
    "INSERT INTO moving SELECT i, 0 FROM generate_series(1, 1500) i",
    "INSERT INTO moving_1 SELECT i, 1 FROM generate_series(1, 1500) i",
    "CREATE TABLE moving_next (id int, n int)",
    "INSERT INTO moving_next SELECT i, 2 FROM generate_series(1, 1000) i",
)


def test_rows_that_move_between_partitions_count_once(reader: Database, tables_url: str) -> None:
    stop, written = threading.Event(), threading.Semaphore(0)
    service = service_over(reader, SETTINGS)
    with tables(tables_url, *PARTED) as connection:

        def write() -> None:
            turn = 0
            while not stop.is_set():
                turn += 1
                written.release()
                # to the other partition, to other blocks, and one row goes as another comes
                connection.execute("UPDATE moving SET n = 1 - n WHERE id %% 20 = %s", [turn % 20])
                connection.execute(
                    "WITH gone AS (DELETE FROM moving WHERE id = (SELECT min(id) FROM moving) RETURNING n) "
                    "INSERT INTO moving SELECT %s, n FROM gone", [10_000 + turn],
                )  # fmt: skip

        writer = threading.Thread(target=write)
        writer.start()
        try:
            answers = []
            for _ in range(15):
                written.acquire(timeout=30)  # or the writer might not have had a turn at all
                answers.append(ask(service, "SELECT count(*) FROM moving"))
        finally:
            stop.set()
            writer.join()
    assert {answer.rows[0] for answer in answers} == {("3000",)}
    assert {answer.reason for answer in answers if answer.mode == "direct"} == set()
    assert len({answer.snapshot for answer in answers}) > 1


@pytest.mark.parametrize(
    ("made", "change"),
    [
        (PARTED, "ALTER TABLE moving ATTACH PARTITION moving_next FOR VALUES IN (2)"),
        (INHERITED, "ALTER TABLE moving_next INHERIT moving"),
    ],
)
def test_a_partition_that_comes_while_fragments_run_sends_the_query_whole(
    reader: Database, tables_url: str, made: tuple[str, ...], change: str
) -> None:
    with tables(tables_url, *made) as connection:
        service = service_over(
            reader, SETTINGS, InterruptedDispatcher(reader, lambda: _run(connection, change))
        )
        answer = ask(service, "SELECT count(*) FROM moving")
        assert answer.mode == "direct"
        assert "got or lost a partition" in answer.reason
        assert (
            answer.rows == ask(service_over(reader, SETTINGS), "SELECT count(*) FROM moving").rows
        )


def test_rows_that_come_after_the_snapshot_do_not_count(reader: Database, tables_url: str) -> None:
    grow = "INSERT INTO moving SELECT i, i % 2 FROM generate_series(1, 9000) i"
    with tables(tables_url, *PARTED) as connection:
        service = service_over(
            reader, SETTINGS, InterruptedDispatcher(reader, lambda: _run(connection, grow))
        )
        answer = ask(service, "SELECT count(*) FROM moving")
    assert answer.mode == "partitioned"
    assert answer.rows == [("3000",)]


def _run(connection: psycopg.Connection, sql: str) -> None:
    connection.execute(sql.encode())

# ruff: noqa: E501 - SQL reads best on one line
"""What the service promises beyond equal answers."""

import threading
import time

import psycopg
import pytest

from app.queries.errors import DeadlinePassed
from app.queries.request import QueryInput
from app.queries.service import QueryService
from app.queries.sql_error import SqlError
from db.database import Database
from query.decision import Engine
from query.errors import NotSplittable, ParametersRefused, StatementRefused
from tests.integration.app.conftest import wait_until
from tests.integration.queries.test_exactness import ask
from tests.slow_sql import SLOW_SQL


def test_more_rows_than_allowed_are_cut_off_and_it_says_so(service: QueryService) -> None:
    engines: tuple[Engine, ...] = ("direct", "auto")
    for engine in engines:
        query = QueryInput("SELECT id FROM t ORDER BY id", (), 30.0, 10, engine)
        answer = service.run(query)
        assert answer.truncated
        assert [row[0] for row in answer.rows] == [
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "7",
            "8",
            "10",
            "11",
        ]


def test_exactly_as_many_rows_as_allowed_are_no_cut(service: QueryService) -> None:
    answer = service.run(QueryInput("SELECT generate_series(1, 10)", (), 30.0, 10, "direct"))
    assert not answer.truncated
    assert len(answer.rows) == 10


def test_a_huge_result_is_stopped_not_read(service: QueryService) -> None:
    began = time.monotonic()
    query = QueryInput("SELECT generate_series(1, 2000000000)", (), 30.0, 10, "direct")
    assert service.run(query).truncated
    assert time.monotonic() - began < 20


def test_the_deadline_ends_a_query(service: QueryService, reader: Database) -> None:
    with pytest.raises(DeadlinePassed):
        service.run(QueryInput(SLOW_SQL, (), 0.2, 10, "auto"))

    def is_over() -> bool:
        with reader.connection() as connection:
            running = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%2000000000%' "
                "AND state = 'active' AND pid <> pg_backend_pid() AND datname = current_database()"
            ).fetchone()
        return running == ("0",)

    wait_until(is_over, "long before it would be by itself")


@pytest.mark.parametrize(
    ("sql", "sqlstate", "position"),
    [
        ("SELECT * FROM nowhere", "42P01", 15),
        ("SELECT nothing FROM t", "42703", 8),
        ("SELECT 1 / 0", "22012", None),
        ("SELEC 1", "42601", 1),
        ("SELECT count(*) FROM t WHERE n > 'x'", "22P02", 34),
        ("SELECT * FROM millrace.schema_migrations", "42501", None),
    ],
)
def test_postgresql_explains_what_is_wrong(
    service: QueryService, sql: str, sqlstate: str, position: int | None
) -> None:
    with pytest.raises(SqlError) as caught:
        ask(service, sql, "auto")
    assert caught.value.sqlstate == sqlstate
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT 1 FROM parentt", "Did you mean parent?"),
        ("SELECT 1 FROM public.sean", "Did you mean seen?"),
        ("SELECT 1 FROM zzzzzzz", "There are: "),
    ],
)
def test_an_unknown_table_is_answered_with_the_ones_there_are(
    service: QueryService, sql: str, hint: str
) -> None:
    for engine in ("auto", "partitioned"):
        with pytest.raises(SqlError) as caught:
            ask(service, sql, engine)
        assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1; SELECT 2", "DELETE FROM t", "", ";", "SELECT 1 INTO x", "SELECT 1 FROM t FOR UPDATE",
     "COPY t TO STDOUT", "SET role = 'x'", "DO $$ BEGIN END $$", "EXPLAIN SELECT 1", "BEGIN",
     "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", "(" * 70 + "SELECT 1" + ")" * 70,
     "SELECT '" + "x" * 100_001 + "'"],
)  # fmt: skip
def test_what_is_not_one_query_that_reads_is_refused(service: QueryService, sql: str) -> None:
    with pytest.raises(StatementRefused) as caught:
        ask(service, sql, "auto")
    assert caught.value.remedy


@pytest.mark.parametrize("params", [(), ("1", "2")])
def test_as_many_values_as_parameters_are_wanted(
    service: QueryService, params: tuple[str, ...]
) -> None:
    with pytest.raises(ParametersRefused):
        ask(service, "SELECT $1::int", "auto", params)


def test_partitioned_on_demand_says_why_it_cannot(service: QueryService) -> None:
    with pytest.raises(NotSplittable, match="floats"):
        ask(service, "SELECT sum(v) FROM t", "partitioned")


def test_parameters_are_typed_by_postgresql_in_all_parts(service: QueryService) -> None:
    sql = (
        "SELECT grp, count(*) + $3, $1 AS label FROM t WHERE n > $2 AND d < $4 GROUP BY grp "
        "HAVING sum(amount) > $5 ORDER BY grp"
    )
    params = ("it's", "7", "1", "2024-12-24", "10.5")
    split, whole = (ask(service, sql, engine, params) for engine in ("auto", "direct"))
    assert split.mode == "partitioned", split.reason
    assert (split.columns, split.types, split.rows) == (whole.columns, whole.types, whole.rows)
    assert split.rows


def test_a_parameter_that_moves_with_time_runs_whole(service: QueryService) -> None:
    answer = ask(service, "SELECT count(*) FROM t WHERE tz < $1", "auto", ("now",))
    assert answer.mode == "direct"
    assert "parameter" in answer.reason


def test_all_parts_see_one_snapshot_while_others_write(
    service: QueryService, tables_url: str
) -> None:
    stop, moved = threading.Event(), threading.Semaphore(0)

    def move() -> None:
        with psycopg.connect(tables_url, autocommit=True) as connection:
            while not stop.is_set():
                moved.release()
                connection.execute("UPDATE moving SET n = n + d.x FROM (SELECT CASE WHEN random() < 0.5 "
                                   "THEN 1 ELSE -1 END AS x) d WHERE id IN (1, 2000)")  # fmt: skip
                with connection.transaction():
                    connection.execute("UPDATE moving SET n = n - 5 WHERE id = 7")
                    connection.execute("UPDATE moving SET n = n + 5 WHERE id = 1900")

    with psycopg.connect(tables_url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE moving AS SELECT i AS id, 0 AS n FROM generate_series(1, 2000) i"
        )
        connection.execute("ANALYZE moving")
    writer = threading.Thread(target=move)
    writer.start()
    try:
        sql = "SELECT count(*), sum(CASE WHEN id IN (7, 1900) THEN n ELSE 0 END) FROM moving"
        answers = []
        for _ in range(25):
            moved.acquire(timeout=30)  # or the writer might not have had a turn at all
            answers.append(ask(service, sql, "partitioned"))
    finally:
        stop.set()
        writer.join()
        with psycopg.connect(tables_url, autocommit=True) as connection:
            connection.execute("DROP TABLE moving")
    assert {answer.rows[0] for answer in answers} == {("2000", "0")}
    assert len({answer.snapshot for answer in answers}) > 1


def test_explain_shows_the_parts_and_runs_nothing(service: QueryService) -> None:
    plan = service.explain(
        QueryInput("SELECT grp, avg(n) FROM t WHERE n > $1 GROUP BY grp", ("3",), 5.0, 10)
    ).plan
    assert plan.split is not None
    assert plan.split.merge is not None
    assert len(plan.parts) == 4
    assert plan.parts[0].params[:2] == ("3", "(0,0)")
    assert plan.parts[0].rows.startswith("blocks from 0 to ")
    assert plan.parts[3].rows.endswith("of public.t")


def test_a_table_of_ones_own_function_name_runs_whole(
    service: QueryService, tables_url: str
) -> None:
    with psycopg.connect(tables_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION public.upper(mood) RETURNS text VOLATILE LANGUAGE sql AS 'SELECT ''x'''"
        )
    try:
        answer = ask(service, "SELECT upper(grp), count(*) FROM t GROUP BY 1", "auto")
    finally:
        with psycopg.connect(tables_url, autocommit=True) as connection:
            connection.execute("DROP FUNCTION public.upper(mood)")
    assert answer.mode == "direct"
    assert "upper" in answer.reason

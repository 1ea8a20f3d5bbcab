# ruff: noqa: E501 - SQL reads best on one line
"""Answers that are read row by row."""

import time
from collections.abc import Iterator

import psycopg
import pytest

from app.queries.control import Control
from app.queries.errors import Cancelled, DeadlinePassed
from app.queries.open_answer import OpenAnswer
from app.queries.request import QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from app.queries.sql_error import SqlError
from db.database import Database
from db.errors import DatabaseUnavailable
from query.decision import Engine
from tests.integration.queries.conftest import service_over

ALL = 10**9


def asked(sql: str, engine: Engine = "auto", *params: str, max_rows: int = ALL) -> QueryInput:
    return QueryInput(sql, params, 30.0, max_rows, engine)


def read_all(answer: OpenAnswer, formatted: bool) -> Iterator[object]:
    return answer.copied(f"COPY ({answer.sql}) TO STDOUT") if formatted else answer.rows


@pytest.mark.parametrize("engine", ["direct", "partitioned"])
def test_an_open_answer_has_what_a_collected_one_has(service: QueryService, engine: Engine) -> None:
    query = asked("SELECT grp, count(*), m FROM t GROUP BY grp, m ORDER BY grp, m", engine)
    whole = service.run(query)
    with service.open(query, Control("q", 30.0)) as answer:
        assert (answer.columns, answer.types) == (whole.columns, whole.types)
        assert (answer.mode, answer.fragments) == (whole.mode, whole.fragments)
        assert answer.snapshot
        assert list(answer.rows) == whole.rows
    assert (answer.row_count, answer.truncated) == (len(whole.rows), False)
    assert answer.timings.total >= answer.timings.execute > 0
    assert answer.timings.total >= answer.timings.postgresql > 0


@pytest.mark.parametrize("engine", ["direct", "partitioned"])
def test_an_open_answer_says_when_there_are_more_rows_than_allowed(
    service: QueryService, engine: Engine
) -> None:
    with service.open(
        asked("SELECT id FROM t ORDER BY id", engine, max_rows=3), Control("q", 30.0)
    ) as answer:
        assert list(answer.rows) == [("1",), ("2",), ("3",)]
    assert (answer.row_count, answer.truncated) == (3, True)


def test_the_columns_of_no_rows_are_known(service: QueryService) -> None:
    with service.open(
        asked("SELECT id AS x, m FROM t WHERE false", "direct"), Control("q", 30.0)
    ) as answer:
        assert [column.name for column in answer.columns] == ["x", "m"]
        assert answer.types == ("integer", "mood")
        assert list(answer.rows) == []


def test_rows_can_be_had_as_postgresql_formats_them(service: QueryService) -> None:
    with service.open(
        asked("SELECT id, e'a\\nb' FROM t ORDER BY id -- all", "direct"), Control("q", 30.0)
    ) as answer:
        assert answer.sql is not None
        text = b"".join(
            answer.copied(f"COPY (\n{answer.sql}\n) TO STDOUT (FORMAT csv, HEADER)", head_rows=1)
        )
    assert text.startswith(b'id,?column?\n1,"a\nb"\n2,"a\nb"\n')
    assert answer.row_count == text.count(b'b"')
    assert not answer.truncated


def test_formatted_rows_are_counted_and_cut_off_too(service: QueryService) -> None:
    with service.open(
        asked("SELECT generate_series(1, 100000);", "direct", max_rows=50_000), Control("q", 30.0)
    ) as answer:
        pieces = list(answer.copied(f"COPY (\n{answer.sql}\n) TO STDOUT (FORMAT csv)"))
    assert b"".join(pieces) == "".join(f"{number}\n" for number in range(1, 50_001)).encode()
    assert len(pieces) > 1
    assert (answer.row_count, answer.truncated) == (50_000, True)


def test_with_parameters_rows_come_one_by_one(service: QueryService) -> None:
    with service.open(asked("SELECT $1::int", "direct", "7"), Control("q", 30.0)) as answer:
        assert answer.sql is None
        assert list(answer.rows) == [("7",)]


@pytest.mark.parametrize("formatted", [False, True])
def test_an_error_after_the_first_rows_is_raised(service: QueryService, formatted: bool) -> None:
    query = asked("SELECT 1 / (90000 - i) FROM generate_series(1, 100000) AS i", "direct")
    seen: list[object] = []

    def read() -> None:
        with service.open(query, Control("q", 30.0)) as answer:
            seen.extend(read_all(answer, formatted))

    with pytest.raises(SqlError) as caught:
        read()
    assert caught.value.sqlstate == "22012"


@pytest.mark.parametrize("formatted", [False, True])
@pytest.mark.parametrize("ending", [Cancelled, DeadlinePassed, DatabaseUnavailable])
def test_who_ends_an_open_answer_is_told(
    service: QueryService,
    tables_url: str,
    reader: Database,
    ending: type[Exception],
    formatted: bool,
) -> None:
    control = Control("q", 0.5 if ending is DeadlinePassed else 60.0)
    query = asked("SELECT generate_series(1, 2000000000) AS open_answer_test", "direct")

    def end() -> None:
        if ending is Cancelled:
            control.cancel("deleted")
        if ending is DatabaseUnavailable:
            with psycopg.connect(tables_url) as owner:
                owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%open_answer_test%' AND pid <> pg_backend_pid()"
                )

    def read() -> None:
        with service.open(query, control) as answer:
            for number, _ in enumerate(read_all(answer, formatted)):
                if number == 3:
                    end()

    with pytest.raises(ending):
        read()


@pytest.mark.parametrize("formatted", [False, True])
def test_leaving_an_open_answer_early_stops_its_statement(
    service: QueryService, reader: Database, formatted: bool
) -> None:
    query = asked("SELECT generate_series(1, 2000000000) AS left_early_test", "direct")
    with service.open(query, Control("q", 60.0)) as answer:
        source = read_all(answer, formatted)
        assert next(source)
    end = time.monotonic() + 20
    while _runs(reader, "left_early_test"):
        assert time.monotonic() < end


def _runs(reader: Database, mark: str) -> bool:
    with reader.connection() as connection:
        running = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%' || $1 || '%' "
            "AND state = 'active' AND pid <> pg_backend_pid()",
            [mark],
        ).fetchone()
    return running != ("0",)


def test_a_split_answer_too_large_for_memory_is_streamed_whole(reader: Database) -> None:
    small = service_over(
        reader,
        QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9, max_answer_bytes=1024),
    )
    query = asked("SELECT id FROM t ORDER BY id")
    assert small.run(query).truncated
    with small.open(query, Control("q", 30.0)) as answer:
        assert len(list(answer.rows)) > 1000
    assert (answer.mode, answer.truncated) == ("direct", False)
    assert "too large" in answer.reason

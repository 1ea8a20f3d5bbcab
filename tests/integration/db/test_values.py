"""Values cross as PostgreSQL's own text."""

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from db.adapters import text_adapters
from db.reader import reader_database
from db.settings import DatabaseSettings

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("42", "42"),
        ("9223372036854775807::int8", "9223372036854775807"),
        ("1.50::numeric", "1.50"),
        ("'NaN'::numeric", "NaN"),
        ("'-Infinity'::float8", "-Infinity"),
        ("0.1::float4", "0.1"),
        ("0.1::float8 + 0.2", "0.30000000000000004"),
        ("true", "t"),
        (r"'\x00ff'::bytea", r"\x00ff"),
        ("ARRAY['a,b', NULL, 'NULL']", '{"a,b",NULL,"NULL"}'),
        ("""'{"b": 1,  "a": 2}'::json""", '{"b": 1,  "a": 2}'),
        ("""'{"b":1}'::jsonb""", '{"b": 1}'),
        ("'2024-02-29 12:00+02'::timestamptz", "2024-02-29 10:00:00+00"),
        ("'1 year 2 days'::interval", "P1Y2D"),
        ("'B'::\"char\"", "B"),
        ("ROW(1, 'x')", "(1,x)"),
        ("int4range(1, 3)", "[1,3)"),
        ("'(1,2)'::point", "(1,2)"),
        ("''", ""),
        ("NULL", None),
    ],
)
def test_results_are_the_text_that_postgresql_writes(
    settings: DatabaseSettings, expression: str, text: str | None
) -> None:
    with reader_database(settings, "test") as database, database.connection() as connection:
        for parameters in (None, ["x"]):  # the simple and the extended protocol
            where = "" if parameters is None else " WHERE $1::text = 'x'"
            row = connection.execute(f"SELECT {expression}{where}".encode(), parameters).fetchone()
            assert row == (text,)


def test_parameters_have_the_type_that_postgresql_infers(settings: DatabaseSettings) -> None:
    with reader_database(settings, "test") as database, database.connection() as connection:
        row = connection.execute(
            "SELECT pg_typeof($1 + 1::numeric)::text, n, $3::date FROM t WHERE n = $2",
            ["1.5", "2", None],
        ).fetchone()
        assert row == ("numeric", "2", None)


def test_other_parameters_than_text_are_refused(settings: DatabaseSettings) -> None:
    with (
        reader_database(settings, "test") as database,
        database.connection() as connection,
        pytest.raises(psycopg.ProgrammingError, match="cannot adapt"),
    ):
        connection.execute("SELECT $1", [1])


@given(texts=st.lists(TEXT, min_size=1, max_size=5))
@hypothesis_settings(max_examples=30)
def test_every_text_survives_the_round_trip(database_url: str, texts: list[str]) -> None:
    with psycopg.connect(
        database_url, context=text_adapters(), cursor_factory=psycopg.RawCursor
    ) as connection:
        marks = ", ".join(f"${number}::text" for number in range(1, len(texts) + 1))
        assert connection.execute(f"SELECT {marks}".encode(), texts).fetchone() == tuple(texts)


def test_a_pipeline_answers_several_questions(settings: DatabaseSettings) -> None:
    with (
        reader_database(settings, "test") as database,
        database.connection() as connection,
        connection.pipeline(),
    ):
        connection.execute("BEGIN READ ONLY")
        first = connection.execute("SELECT count(*) FROM t")
        second = connection.execute("SELECT $1::int + 1", ["4"])
        assert (first.fetchall(), second.fetchall()) == ([("3",)], [("5",)])


def test_the_session_is_pinned(settings: DatabaseSettings) -> None:
    expected = {
        "search_path": 'pg_catalog,"public"', "TimeZone": "UTC", "DateStyle": "ISO, YMD",
        "IntervalStyle": "iso_8601", "extra_float_digits": "1", "bytea_output": "hex",
        "default_transaction_read_only": "on", "statement_timeout": "1min",
        "lock_timeout": "5s", "idle_in_transaction_session_timeout": "1min",
        "temp_file_limit": "4GB", "row_security": "on", "standard_conforming_strings": "on",
        "application_name": "millrace/worker", "client_encoding": "UTF8",
    }  # fmt: skip
    with reader_database(settings, "worker") as database, database.connection() as connection:
        found = {
            name: connection.execute("SELECT current_setting($1)", [name]).fetchone()
            for name in expected
        }
    assert found == {name: (value,) for name, value in expected.items()}

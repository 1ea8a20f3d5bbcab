"""Each entry of the list: both engines, over values by chance."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.embedded.postgres import EmbeddedPostgres
from columnar.engine import ColumnarEngine
from query.columnar.allowed import ALLOWED
from query.statement import TableName
from tests.columnar import values
from tests.columnar.both import Columnar, difference
from tests.columnar.examples import EXAMPLES, query
from tests.columnar.segments import table_fact, write_table

NAME = TableName(None, "v")
CASES = [(entry, query(example)) for entry, some in EXAMPLES.items() for example in some]


class Bench:
    """The table on PostgreSQL, and DuckDB over its rows."""

    def __init__(
        self, connection: psycopg.Connection, engine: ColumnarEngine, folder: Path
    ) -> None:
        self.connection = connection
        self._folder = folder
        self._fact = table_fact(connection, "v")
        self.columnar = Columnar(engine, {NAME: self._fact}, {NAME: []})

    def fill(self, rows: list[dict[str, object]]) -> None:
        """Put rows in both."""
        values.fill(self.connection, rows)
        files = write_table(self.connection, "v", self._fact, self._folder, parts=2, group_rows=2)
        self.columnar = Columnar(self.columnar.engine, self.columnar.tables, {NAME: files})


@pytest.fixture(scope="module")
def bench(
    postgres: EmbeddedPostgres, engine: ColumnarEngine, segment_folder: Path
) -> Iterator[Bench]:
    """A database of its own."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as owner:
        owner.execute("CREATE DATABASE allowed")
        with psycopg.connect(postgres.url("allowed"), autocommit=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            values.create(connection)
            yield Bench(connection, engine, segment_folder)
        owner.execute("DROP DATABASE allowed WITH (FORCE)")


def test_each_entry_has_examples() -> None:
    assert set(EXAMPLES) == set(ALLOWED)


@pytest.mark.parametrize(("entry", "sql"), CASES)
def test_an_example_uses_its_entry_and_runs(bench: Bench, entry: str, sql: str) -> None:
    bench.fill([dict(row) for row in values.PLAIN])
    rendered = bench.columnar.render(sql)
    assert entry in rendered.entries
    bench.columnar.run(rendered)
    assert difference(bench.connection, bench.columnar, sql, rendered) is None


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=values.ROWS, data=st.data())
def test_both_engines_agree_on_values_by_chance(
    bench: Bench, rows: list[dict[str, object]], data: st.DataObject
) -> None:
    bench.fill(rows)
    some = data.draw(st.lists(st.sampled_from(CASES), min_size=12, max_size=24, unique=True))
    for _, sql in some:
        rendered = bench.columnar.render(sql)
        assert difference(bench.connection, bench.columnar, sql, rendered) is None

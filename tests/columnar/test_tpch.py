"""TPC-H's queries, as columnar fragments and their merge, and by PostgreSQL alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.queries.side_by_side import read_queries
from cli.embedded.postgres import EmbeddedPostgres
from columnar.engine import ColumnarEngine
from tests.columnar.planned import Runs, counted, plan
from tests.columnar.segments import facts_of, write_table
from tests.columnar.tpch import COLUMNAR_ONLY, SHARED_OUT_BY, STATEMENTS, TABLES
from tests.oracle.world import World, world

QUERIES = dict(
    read_queries(Path(__file__).parents[2] / "bench" / "tpch" / "queries.sql", fraction="0.001")
)


@pytest.fixture(scope="module")
def tables(
    postgres: EmbeddedPostgres, engine: ColumnarEngine, segment_folder: Path
) -> Iterator[tuple[World, Runs]]:
    """The tables on PostgreSQL and in three files each."""
    with world(postgres.url("postgres"), "tpch") as made:
        for statement in STATEMENTS:
            made.owner.execute(statement.encode())
        made.owner.execute(b"ANALYZE")
        files = {
            name: write_table(made.owner, name.name, fact, segment_folder, parts=3, group_rows=200)
            for name, fact in facts_of(made.owner, *TABLES).items()
        }
        yield made, Runs(made.oracle, engine, files)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_over_segments_has_the_answer_of_postgresql(
    tables: tuple[World, Runs], name: str
) -> None:
    made, runs = tables
    facts = facts_of(made.owner, *TABLES)
    planned = plan(made.oracle, made.service, facts, QUERIES[name])
    driving = [one.table.name for one in planned.columnar.relations if one.is_driving]
    assert planned.is_columnar_only == (name in COLUMNAR_ONLY)
    assert driving == [SHARED_OUT_BY[name]] * bool(SHARED_OUT_BY[name])
    whole = runs.postgres(QUERIES[name], ())
    assert whole
    merged = runs.merged(planned)
    assert merged is not None
    assert counted(merged) == counted(whole)
    fragment = runs.postgres(planned.whole.sql, ())
    assert counted(runs.columnar(planned.columnar)) == counted(fragment)

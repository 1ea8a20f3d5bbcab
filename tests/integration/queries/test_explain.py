"""Explanations: what would run, why, and with `analyze` what did."""

import psycopg
import pytest

from app.cache.answers import Lookup
from app.explanation_document import explanation_document
from app.models_explain import QueryExplanation
from app.queries.errors import DeadlinePassed
from app.queries.request import QueryInput
from app.queries.service import QueryService
from app.queries.settings import QuerySettings
from db.database import Database
from query.decision import Engine
from tests.integration.queries.conftest import service_over
from tests.slow_sql import SLOW_SQL

GROUPED = "SELECT grp, avg(n) AS mean FROM t WHERE n > $1 GROUP BY grp ORDER BY grp"
SETTINGS = QuerySettings(min_fragment_cost=0.001, max_fragment_share=1e9)


def told(
    service: QueryService,
    sql: str,
    *params: str,
    engine: Engine = "auto",
    partitions: int | None = None,
    analyze: bool = False,
) -> QueryExplanation:
    query = QueryInput(sql, params, 30.0, 5, engine, partitions)
    found = service.explain(query, analyze=analyze)
    return explanation_document(found, Lookup(True, "", None), query, SETTINGS)


def test_a_split_query_shows_its_parts_columns_and_merge(service: QueryService) -> None:
    shown = told(service, GROUPED, "3")
    assert (shown.mode, shown.reasons_not_to_split, shown.analysis) == ("partitioned", [], None)
    (driving,) = shown.driving_tables
    assert (driving.table, driving.fragments, driving.why) == ("public.t", 4, "the only table")
    assert driving.blocks > 4
    assert shown.fragment_count == len(shown.fragments) == 4
    assert "4 free slots" in shown.fragment_count_reason
    first = shown.fragments[0]
    assert first.params[:2] == ["3", "(0,0)"]
    assert first.engine == "postgresql"
    assert first.cost is not None
    assert 0 < first.cost < shown.cost
    assert first.estimated_rows
    assert first.ran is None
    assert shown.partial_columns[0].type == "text"
    assert {column.type for column in shown.partial_columns[1:]} == {"bigint"}
    assert all(column.name in first.sql for column in shown.partial_columns)
    assert shown.merge_sql is not None
    assert shown.limits.timeout_s == 30.0


def test_the_table_that_is_cut_is_told_from_the_others(service: QueryService) -> None:
    sql = "SELECT count(*) FROM s LEFT JOIN t ON t.id = s.t_id"
    shown = told(service, sql)
    assert [table.table for table in shown.driving_tables] == ["public.s"]
    (other,) = shown.other_tables
    assert other.table == "public.t"
    assert other.why.startswith("larger, but its rows cannot be divided")
    inner = told(service, "SELECT count(*) FROM s JOIN t ON t.id = s.t_id")
    assert [table.table for table in inner.driving_tables] == ["public.t"]
    assert [table.why for table in inner.other_tables] == ["no larger than what is cut"]


def test_each_branch_of_a_union_has_its_own(service: QueryService) -> None:
    union = "SELECT id FROM t UNION ALL SELECT id FROM s UNION ALL SELECT count(*) FROM empty"
    shown = told(service, f"SELECT sum(id) FROM ({union}) AS u", partitions=6)
    assert [table.table for table in shown.driving_tables] == ["public.t", "public.s", None]
    assert sum(table.fragments for table in shown.driving_tables) == shown.fragment_count
    assert shown.driving_tables[0].fragments > shown.driving_tables[1].fragments
    assert shown.fragment_count_reason.startswith("the least of 6 that the request asks for")


def test_all_reasons_not_to_split_are_told(reader: Database) -> None:
    cheap = service_over(reader, QuerySettings(min_fragment_cost=1e9))
    shown = told(cheap, "SELECT sum(v), now() FROM t")
    assert shown.mode == "direct"
    assert shown.reasons_not_to_split[0] == shown.reason
    assert shown.reason.startswith("cheap")
    assert any("now" in reason for reason in shown.reasons_not_to_split[1:])
    asked = told(cheap, "SELECT sum(v) FROM t", engine="direct")
    assert asked.reasons_not_to_split[0] == "the request asks for it"
    assert len(asked.reasons_not_to_split) == 2
    assert asked.cost > 0
    unread = told(cheap, "SELECT " + "+".join(["1"] * 300))
    assert len(unread.reasons_not_to_split) == 2


def test_analyzing_a_split_query_tells_of_each_fragment(service: QueryService) -> None:
    shown = told(service, GROUPED, "3", analyze=True)
    assert shown.analysis is not None
    assert (shown.analysis.mode, shown.analysis.left_split) == ("partitioned", None)
    assert (shown.analysis.rows, shown.analysis.truncated) == (5, True)
    assert shown.analysis.postgresql_plan is None
    timings = shown.analysis.timings_ms
    assert timings.total >= timings.plan + timings.execute + timings.merge
    assert timings.total >= timings.postgresql > 0
    for fragment in shown.fragments:
        assert fragment.ran is not None
        assert (fragment.ran.worker, fragment.ran.attempt) == ("here", 1)
        assert fragment.ran.rows > 0


def test_analyzing_a_direct_query_brings_postgresqls_own_plan(service: QueryService) -> None:
    shown = told(service, "SELECT id FROM t WHERE n > $1", "3", engine="direct", analyze=True)
    assert shown.analysis is not None
    assert shown.analysis.mode == "direct"
    assert shown.analysis.truncated
    plan = shown.analysis.postgresql_plan
    assert plan is not None
    assert plan["Plan"]["Actual Rows"] == shown.analysis.rows > 1000
    assert "Shared Hit Blocks" in plan["Plan"]
    assert plan["Execution Time"] > 0


@pytest.mark.parametrize("sql", ["SELECT * FROM secured", "SELECT n FROM over_hidden"])
def test_a_plan_that_would_tell_of_what_is_hidden_is_not_shown(
    service: QueryService, tables_url: str, sql: str
) -> None:
    with psycopg.connect(tables_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS hidden")
        connection.execute("CREATE TABLE IF NOT EXISTS hidden.behind AS SELECT 1 AS n")
        connection.execute("CREATE OR REPLACE VIEW over_hidden AS SELECT n FROM hidden.behind")
        connection.execute("GRANT SELECT ON over_hidden TO millrace_reader")
    try:
        shown = told(service, sql, engine="direct", analyze=True)
    finally:
        with psycopg.connect(tables_url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA hidden CASCADE")
    assert shown.analysis is not None
    assert shown.analysis.rows > 0
    assert shown.analysis.postgresql_plan is None


def test_a_query_that_leaves_the_split_on_the_way_says_so(reader: Database) -> None:
    narrow = service_over(reader, SETTINGS.model_copy(update={"max_partial_rows": 20}))
    shown = told(narrow, GROUPED, "3", engine="partitioned", analyze=True)
    assert shown.mode == "partitioned"
    assert shown.analysis is not None
    assert shown.analysis.mode == "direct"
    assert shown.analysis.left_split == "more than 20 partial rows"
    assert shown.analysis.rows == 11
    assert shown.analysis.postgresql_plan is not None
    # what its fragments had to say came too late, or was not waited for
    assert [fragment.ran for fragment in shown.fragments] == [None] * 4


def test_a_merge_without_a_verdict_still_tells_of_its_fragments(service: QueryService) -> None:
    shown = told(service, "SELECT id, n FROM t ORDER BY n LIMIT 3", analyze=True)
    assert shown.analysis is not None
    assert shown.analysis.left_split is not None
    assert all(fragment.ran for fragment in shown.fragments)


def test_the_deadline_ends_an_analysis(service: QueryService) -> None:
    with pytest.raises(DeadlinePassed):
        service.explain(QueryInput(SLOW_SQL, (), 0.2, 10, "direct"), analyze=True)

# ruff: noqa: E501 - SQL reads best on one line
"""Queries over segments: the answer is PostgreSQL's, whatever happened to tables and files."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from app.queries.control import Control
from app.queries.request import QueryInput
from cli.embedded.postgres import EmbeddedPostgres
from db.tracking.installation import Installation
from query.errors import NotSplittable
from query.statement import Parser
from segments.acceleration import accelerate
from segments.settings import SegmentSettings
from tests.integration.queries.columnar_stand import TABLES, Stand, columnar_stand
from tests.integration.queries.conftest import loaded_database

GROUPED = "SELECT kind, count(*), sum(amount), avg(amount), min(day), max(at) FROM sales GROUP BY kind ORDER BY kind"
JOINED = "SELECT name, sum(amount) AS s FROM sales JOIN shops ON shops.id = shop GROUP BY name ORDER BY s DESC, name LIMIT 3"


@pytest.fixture
def stand(postgres: EmbeddedPostgres, redis_url: str, tmp_path: Path) -> Iterator[Stand]:
    with (
        loaded_database(postgres, "columnar_queries", TABLES) as url,
        columnar_stand(url, redis_url, tmp_path) as stand,
    ):
        yield stand


def test_a_clean_table_answers_from_segments(stand: Stand) -> None:
    answer = stand.check(GROUPED)
    assert (answer.mode, answer.fragments) == ("columnar", 4)
    assert stand.check("SELECT count(*) FROM sales").mode == "columnar"
    assert (
        stand.check("SELECT id, note FROM sales WHERE id % 500 = 3 ORDER BY id").mode == "columnar"
    )
    assert (
        stand.check(
            "SELECT sum(amount) FROM sales WHERE day >= $1 AND kind = $2", "2024-05-01", "k3"
        ).mode
        == "columnar"
    )


def test_segments_without_a_row_that_is_wanted_are_not_read(stand: Stand) -> None:
    answer = stand.check(
        "SELECT count(*), sum(amount) FROM sales WHERE id BETWEEN $1 AND 1200", "900"
    )
    assert (answer.mode, answer.fragments) == ("columnar", 1)
    assert "segments pruned: " in answer.reason
    none = stand.check("SELECT count(*), sum(amount) FROM sales WHERE day > date '2030-01-01'")
    assert none.rows == [("0", None)]
    stand.run("UPDATE sales SET day = '2031-01-01' WHERE id = 4321")
    again = stand.check("SELECT count(*), sum(amount) FROM sales WHERE day > date '2030-01-01'")
    assert (again.mode, again.rows[0][0]) == ("mixed", "1")


def test_a_limit_leaves_few_groups_to_send(stand: Stand) -> None:
    for sql, rows in [
        (
            "SELECT id, sum(amount) FROM sales GROUP BY id ORDER BY sum(amount) DESC NULLS LAST, id LIMIT 5",
            5,
        ),
        (
            "SELECT day, count(*) AS c FROM sales GROUP BY 1 HAVING count(*) > 16 ORDER BY c, 1 LIMIT 3 OFFSET 2",
            5,
        ),
        (
            "SELECT shop % 3 AS x, max(at) FROM sales GROUP BY x ORDER BY max(at), x DESC FETCH FIRST 2 ROWS ONLY",
            2,
        ),
        (
            "SELECT day, kind, avg(amount) FROM sales GROUP BY day, kind ORDER BY day DESC, kind FETCH FIRST 3 ROWS WITH TIES",
            3,
        ),
    ]:
        stand.client.flushdb()
        assert (stand.check(sql).mode, stand.dispatcher.sent) == ("columnar", rows)
    # the merge sees groups that tie, and leaves the choice to PostgreSQL
    with pytest.raises(NotSplittable, match="only their order tells which"):
        stand.ask("SELECT day, count(*) FROM sales GROUP BY day ORDER BY count(*) LIMIT 4")


def test_what_having_asks_other_rows_for_is_asked_of_segments_alone(stand: Stand) -> None:
    sql = (
        "SELECT day, sum(amount) AS s FROM sales GROUP BY day HAVING sum(amount) > "
        "(SELECT sum(amount) * 0.004 FROM sales) ORDER BY s DESC NULLS LAST, day"
    )
    answer = stand.check(sql)
    assert answer.mode == "columnar"
    assert 0 < stand.dispatcher.sent == len(answer.rows) < 400
    explained = stand.service.explain(QueryInput(sql, (), 30.0, 10_000, "columnar"))
    split = explained.plan.split
    assert split is not None
    assert split.merge is not None
    assert "sales" not in split.merge.query.sql
    # what segments lack is in that piece, too
    stand.run("UPDATE sales SET amount = amount + 1 WHERE id % 3000 = 5")
    assert stand.check(sql).mode == "columnar"


def test_partials_that_are_kept_decide_for_segments(stand: Stand) -> None:
    times = stand.service._over_segments._times  # type: ignore[union-attr]
    statement = Parser(cache_size=1, max_length=1000, max_depth=9).parse(GROUPED)
    times.took(statement, "columnar", 9e5, cost=1.0, rows=1)
    times.took(statement, "postgresql", 3000.0, cost=1.0, rows=0)
    assert stand.ask(GROUPED, "auto").mode == "direct"
    stand.check(GROUPED)
    answer = stand.ask(GROUPED, "auto")
    assert (answer.mode, answer.kept_partials) == ("columnar", 4)
    assert answer.reason.endswith("its partials are kept")


def test_a_cheap_query_locks_nothing_until_it_is_not_cheap_any_more(stand: Stand) -> None:
    planner = stand.service._planner
    planner._columnar_min_cost = 1e6
    sql = "SELECT count(*) FROM sales"
    statement = stand.service._parse(QueryInput(sql, (), 1.0, 1), Control("", 1.0))
    assert stand.ask(sql, "auto").mode == "direct"
    assert stand.service._locks(statement, QueryInput(sql, (), 1.0, 1)) == []
    assert stand.check(sql).mode == "columnar"
    assert [one.name for one in stand.service._locks(statement, QueryInput(sql, (), 1.0, 1))] == [
        "sales"
    ]


def test_a_join_reads_the_other_table_in_each_fragment(stand: Stand) -> None:
    assert stand.check(JOINED).mode == "columnar"


def test_a_view_is_read_as_its_tables(stand: Stand) -> None:
    for _ in range(2):
        assert (
            stand.check("SELECT kind, count(*) FROM big_sales GROUP BY kind ORDER BY 1").mode
            == "columnar"
        )


def test_a_change_makes_its_bucket_run_on_postgresql(stand: Stand) -> None:
    before = stand.check(GROUPED)
    stand.run("UPDATE sales SET amount = amount + 1 WHERE id = 1500")
    after = stand.check(GROUPED)
    assert after.mode == "mixed"
    assert after.rows != before.rows
    stand.run(
        "INSERT INTO sales (id, shop, amount, kind) VALUES (10001, 3, 5, 'new'), (-4, 3, 5, 'k1')"
    )
    stand.run("DELETE FROM sales WHERE id = 2500")
    assert stand.check(GROUPED).mode == "mixed"
    stand.keep()
    assert stand.check(GROUPED).mode == "columnar"
    stand.run("TRUNCATE sales")
    with pytest.raises(NotSplittable, match=r"no segment of public\.sales is as its rows are now"):
        stand.ask(GROUPED)
    assert stand.ask(GROUPED, "auto").rows == []


def test_kept_partials_are_used_until_their_segments_change(stand: Stand) -> None:
    first, scattered = stand.check(GROUPED), len(stand.dispatcher.scattered)
    again = stand.check(GROUPED)
    assert (first.kept_partials, again.kept_partials) == (0, 4)
    assert len(stand.dispatcher.scattered) == scattered
    stand.run("UPDATE sales SET amount = amount + 1 WHERE id = 1500")
    stand.keep()
    third = stand.check(GROUPED)
    assert third.rows != again.rows
    assert 0 < third.kept_partials < 4
    stand.client.flushdb()
    assert stand.check(GROUPED).kept_partials == 0


def test_what_segments_cannot_answer_is_refused_with_the_reason(stand: Stand) -> None:
    for sql, reason in [
        ("SELECT sum(free) FROM sales", "free"),
        ("SELECT sum(ratio) FROM sales", "sum"),
        ("SELECT count(*) FROM plain", "no table that it reads is accelerated"),
        ("SELECT count(*) FROM shops WHERE name ~ 'p'", "not on the list"),
    ]:
        with pytest.raises(NotSplittable, match=f"cannot run columnar: .*{reason}"):
            stand.ask(sql)
        assert stand.ask(sql, "auto").mode == "direct"


def test_what_segments_of_a_joined_table_lack_is_fetched(stand: Stand) -> None:
    stand.run("UPDATE shops SET name = 'SHOP 1' WHERE id = 1")
    assert stand.check(JOINED).mode == "columnar"
    stand.run("INSERT INTO sales (id, shop, amount) VALUES (7000, 1, 1e6)")
    all_shops = "SELECT name, sum(amount) FROM sales JOIN shops ON shops.id = shop GROUP BY name"
    assert stand.check(f"{all_shops} ORDER BY name").mode == "mixed"
    assert stand.check(JOINED).mode == "columnar"
    stand.run("DELETE FROM shops WHERE id = 1")
    assert stand.check(JOINED).kept_partials == 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT plain.n, count(*), sum(amount) FROM sales JOIN plain ON plain.id = shop GROUP BY 1 ORDER BY 1",
        "SELECT count(*) FROM sales WHERE shop IN (SELECT id FROM plain WHERE n < 4)",
        "SELECT count(*) FROM sales, plain",
        "SELECT kind, count(plain.id) FROM sales LEFT JOIN plain ON plain.id = shop GROUP BY 1 ORDER BY 1",
    ],
)
def test_a_small_table_without_segments_is_fetched(stand: Stand, sql: str) -> None:
    assert stand.check(sql).mode == "columnar"
    stand.run("INSERT INTO plain VALUES (0, NULL)")
    assert stand.check(sql).mode == "columnar"


def test_a_query_that_cannot_be_shared_out_takes_what_segments_lack_into_one_part(
    stand: Stand,
) -> None:
    sql = "SELECT n, count(*) FROM (SELECT shop, count(*) AS n FROM sales GROUP BY shop) AS x GROUP BY n ORDER BY n"
    assert stand.check(sql).mode == "columnar"
    stand.run("DELETE FROM sales WHERE id BETWEEN 1500 AND 1510")
    answer = stand.check(sql)
    assert (answer.mode, answer.fragments) == ("columnar", 1)


def test_what_is_too_much_to_fetch_or_cannot_be_runs_whole(stand: Stand) -> None:
    stand.run("CREATE TABLE odd (id int PRIMARY KEY, f float8); INSERT INTO odd VALUES (1, 'NaN')")
    stand.run("GRANT SELECT ON odd TO millrace_reader; ANALYZE odd")
    sql = "SELECT count(*) FROM sales JOIN odd ON odd.id = shop WHERE f > 0"
    with pytest.raises(NotSplittable, match="columnar"):
        stand.ask(sql)
    assert stand.ask(sql, "auto").rows == stand.ask(sql, "direct").rows
    stand.run(
        "CREATE TABLE large AS SELECT i AS id FROM generate_series(1, 300000) AS i; ANALYZE large"
    )
    stand.run("GRANT SELECT ON large TO millrace_reader")
    with pytest.raises(NotSplittable, match="is not accelerated"):
        stand.ask("SELECT count(*) FROM sales JOIN large ON large.id = sales.id")


@pytest.mark.parametrize("damage", ["flipped", "missing", "cut short", "exchanged"])
def test_a_damaged_file_makes_its_bucket_run_on_postgresql_until_it_is_built_anew(
    stand: Stand, damage: str
) -> None:
    stand.check(GROUPED)
    stand.client.flushdb()
    victim, other, *_ = stand.segments()
    path, data = stand.folder / victim.file_name, (stand.folder / victim.file_name).read_bytes()
    if damage == "flipped":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    elif damage == "missing":
        path.unlink()
    elif damage == "cut short":
        path.write_bytes(data[:-100])
    else:
        path.write_bytes((stand.folder / other.file_name).read_bytes())
    assert stand.check(GROUPED).mode == "mixed"
    assert victim.id not in {one.id for one in stand.segments()}
    assert stand.check(GROUPED).mode == "mixed"
    stand.keep()
    assert stand.check(GROUPED).mode == "columnar"


def test_a_table_accelerated_anew_is_never_read_by_what_was_known_before(stand: Stand) -> None:
    stand.check(GROUPED)
    with stand.own.connection() as connection:
        Installation().remove(connection, stand.tables["sales"].oid)
    with pytest.raises(NotSplittable, match="no table that it reads is accelerated"):
        stand.ask(GROUPED)
    stand.run("ALTER TABLE sales ALTER shop TYPE bigint, DROP COLUMN note")
    segments = SegmentSettings(folder=stand.folder, bucket_rows=2000)
    stand.tables["sales"] = accelerate(
        stand.own, stand.reader, Installation(), segments, ("public", "sales")
    )
    stand.keep()
    assert stand.check(GROUPED).mode == "columnar"
    assert (
        stand.check("SELECT shop, count(*) FROM sales GROUP BY shop ORDER BY 1").mode == "columnar"
    )


def test_who_asks_for_segments_gets_those_of_a_table_accelerated_just_now(stand: Stand) -> None:
    stand.known._fresh_s = 3600.0
    stand.check(GROUPED)
    stand.run("CREATE TABLE late AS SELECT n AS id, n % 7 AS rest FROM generate_series(1, 2000) n")
    stand.run("ALTER TABLE late ADD PRIMARY KEY (id)")
    segments = SegmentSettings(folder=stand.folder, bucket_rows=1000)
    stand.tables["late"] = accelerate(
        stand.own, stand.reader, Installation(), segments, ("public", "late")
    )
    stand.keep("late")
    assert stand.check("SELECT count(*), sum(rest) FROM late").mode == "columnar"


def test_an_id_that_means_another_segment_since_a_restore_is_noticed(stand: Stand) -> None:
    stand.check(GROUPED)
    one, other, *_ = stand.segments()
    kept = stand.known._segments
    kept[one.id], kept[other.id] = (
        replace(kept[other.id], id=one.id), replace(kept[one.id], id=other.id)
    )  # fmt: skip
    assert (
        stand.check("SELECT count(*), min(id), max(id) FROM sales WHERE id < 1500").mode
        == "columnar"
    )
    assert kept[one.id].file.name == one.file_name


def test_a_schema_change_makes_the_tier_step_aside(stand: Stand) -> None:
    stand.check(GROUPED)
    stand.run("ALTER TABLE sales ADD COLUMN more int DEFAULT 7")
    with pytest.raises(NotSplittable, match="a column was altered, added or dropped"):
        stand.ask(GROUPED)
    assert stand.ask("SELECT sum(more) FROM sales", "auto").rows == [("35000",)]


def test_an_answer_is_of_one_moment_while_others_write(stand: Stand) -> None:
    """Fragments run after a change that the query's snapshot does not see."""
    with psycopg.connect(stand.url, autocommit=True) as session:
        scatter = stand.dispatcher.scatter

        def write_then_scatter(payloads, **options):  # type: ignore[no-untyped-def]
            session.execute("DELETE FROM sales WHERE id < 3000")
            return scatter(payloads, **options)

        stand.dispatcher.scatter = write_then_scatter  # type: ignore[method-assign]
        stand.run("UPDATE sales SET amount = 0 WHERE id = 4000")
        answer = stand.ask("SELECT count(*), min(id) FROM sales")
    assert (answer.mode, answer.rows) == ("mixed", [("5000", "1")])

"""Answers that are given again, and those that are not."""

import psycopg
import pytest

from app.cache.errors import NothingCached
from app.cache.policy import CachePolicy
from app.queries.request import QueryInput
from tests.integration.cache.replicas import Replica

SQL = "SELECT id, n FROM t ORDER BY id"


def test_the_second_to_ask_gets_the_first_ones_answer(one: Replica, other: Replica) -> None:
    first = one.ask(SQL)
    second = other.ask("select ID, n /* the same */\nfrom T order by id;")
    assert (first.status.origin, second.status.origin) == ("miss", "hit")
    assert first.status.stored
    assert second.answer.rows == first.answer.rows == [("1", "10"), ("2", "20")]
    assert second.answer.columns == first.answer.columns
    assert second.etag == first.etag
    assert 0 < second.age_s < 30
    assert other.service.runs == 0


def test_what_changes_the_answer_has_an_answer_of_its_own(one: Replica) -> None:
    texts = ['SELECT n AS "A" FROM t', "SELECT n AS A FROM t", "SELECT id AS a FROM t"]
    assert [one.origin(text) for text in texts] == ["miss"] * 3
    names = [one.ask(text).answer.columns[0].name for text in texts]
    assert names == ["A", "a", "a"]
    sql = "SELECT n FROM t WHERE id = $1"
    assert one.ask(sql, params=("1",)).answer.rows == [("10",)]
    assert one.ask(sql, params=("2",)).answer.rows == [("20",)]
    assert one.ask(sql, params=(None,)).answer.rows == []
    assert one.ask(SQL, max_rows=1).answer.truncated
    assert not one.ask(SQL, max_rows=2).answer.truncated


@pytest.mark.parametrize(
    "sql",
    ["SELECT random()", "SELECT now()", "SELECT current_date", "SELECT 'today'::date",
     "SELECT wild(1)", "SELECT t.sneaky FROM t", "SELECT sneaky(t) FROM t", "SELECT * FROM seen",
     "SELECT version()", "SELECT * FROM t TABLESAMPLE bernoulli (50)",
     "SELECT age(timestamp '2024-01-01')", "SELECT (timestamp '2024-01-01').age",
     "SELECT count(*) FROM information_schema.tables",
     "SELECT clock_timestamp() > '2024-01-01'"],
)  # fmt: skip
def test_what_may_change_by_itself_is_computed_each_time(one: Replica, sql: str) -> None:
    found = [one.ask(sql) for _ in range(2)]
    assert [each.status.origin for each in found] == ["bypass"] * 2
    assert found[0].status.reason


@pytest.mark.parametrize(
    "sql",
    ["SELECT tame(1)", "SELECT * FROM parent", "SELECT * FROM kept", "SELECT 1", "VALUES (1)",
     "WITH x AS (SELECT n FROM t) SELECT sum(n), count(DISTINCT n) FROM x",
     "SELECT to_char(timestamp '2024-01-01', 'YYYY'), lower('A'), 'x' || n FROM t",
     "SELECT json_agg(t), row_number() OVER () FROM t GROUP BY id LIMIT 1",
     "SELECT * FROM generate_series(1, 3)", "SELECT id FROM t UNION SELECT id FROM s"],
)  # fmt: skip
def test_what_follows_from_the_tables_is_given_again(one: Replica, sql: str) -> None:
    assert [one.origin(sql) for _ in range(2)] == ["miss", "hit"]


def test_a_request_can_insist_on_an_answer_of_now(one: Replica, owner: psycopg.Connection) -> None:
    one.ask(SQL)
    owner.execute("INSERT INTO t VALUES (3, 30)")
    assert len(one.ask(SQL).answer.rows) == 2
    anew = one.ask(SQL, CachePolicy(max_age_s=0.0))
    assert (anew.status.origin, anew.status.stored, anew.age_s) == ("refresh", True, 0.0)
    assert len(anew.answer.rows) == 3
    again = one.ask(SQL)
    assert (again.status.origin, len(again.answer.rows)) == ("hit", 3)


def test_a_request_can_keep_its_answer_out(one: Replica) -> None:
    assert one.origin(SQL, CachePolicy(max_age_s=0.0, may_store=False)) == "bypass"
    assert one.origin(SQL) == "miss"


def test_a_request_can_take_only_what_is_there(one: Replica) -> None:
    with pytest.raises(NothingCached):
        one.ask(SQL, CachePolicy(only_if_cached=True))
    one.ask(SQL)
    assert one.origin(SQL, CachePolicy(only_if_cached=True)) == "hit"


def test_a_changed_schema_makes_old_answers_unreachable(
    one: Replica, owner: psycopg.Connection
) -> None:
    sql = "SELECT * FROM t"
    one.ask(sql)
    owner.execute("ALTER TABLE t ADD COLUMN more text")
    one.cache.facts.refresh()
    found = one.ask(sql)
    assert (found.status.origin, len(found.answer.columns)) == ("miss", 3)
    owner.execute(
        "CREATE OR REPLACE FUNCTION tame(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 2'"
    )
    one.cache.facts.refresh()
    assert one.origin("SELECT tame(1)") == "bypass"


def test_new_rows_and_statistics_are_no_change_of_the_schema(
    one: Replica, owner: psycopg.Connection
) -> None:
    before = one.cache.facts.version
    for sql in ("INSERT INTO t VALUES (4, 4)", "ANALYZE t", "TRUNCATE s", "VACUUM t"):
        owner.execute(sql)
    one.cache.facts.refresh()
    assert one.cache.facts.version == before


def test_looking_is_not_asking(one: Replica) -> None:
    from app.queries.request import QueryInput

    query = QueryInput(SQL, (), 10.0, 1000)
    answers = one.cache.answers
    assert answers.lookup(query).age_s is None
    one.ask(SQL)
    found = answers.lookup(query)
    assert found.cacheable
    assert found.age_s is not None
    assert not answers.lookup(QueryInput("SELECT now()", (), 10.0, 1000)).cacheable
    assert one.cache.metrics.count("hit") == 0


def test_a_large_answer_is_not_kept(one: Replica) -> None:
    sql = "SELECT md5(i::text) FROM generate_series(1, 100000) AS i"
    assert [one.ask(sql, max_rows=200_000).status.stored for _ in range(2)] == [False, False]


def test_what_is_kept_of_statements_is_bounded_by_their_length(one: Replica) -> None:
    keys = one.cache.answers._keys
    for number in range(20):
        keys.known(QueryInput(f"SELECT {number} /* {'x' * 19_000} */", (), 5.0, 10))
        keys.known(QueryInput(f"SELECT {number} /* {'x' * 30_000} */", (), 5.0, 10))
    kept = [len(sql) for sql in keys._spellings]
    assert len(kept) == 10
    assert max(kept) < 20_000
    assert sum(kept) < 200_000

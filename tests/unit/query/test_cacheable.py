"""Which answers may be given again."""

import pytest

from query.cacheable import Calls, Facts, Relation, calls, moving_reason, verdict
from query.lexer import lex
from query.spelling import spell
from query.statement import Parser, TableName

T = TableName(None, "t")
COLUMNS = {"id": 23, "ts": 1114, "txt": 25}
PLAIN = Relation("r", True, frozenset({"t", "child"}), COLUMNS)
FACTS = Facts({T: PLAIN}, frozenset(), frozenset(), False)


def reason(sql: str, facts: Facts = FACTS) -> str:
    statement = Parser(cache_size=1, max_length=1000, max_depth=20).parse(sql)
    found = verdict(statement.tree, statement.tables, facts)
    assert (found.tables is None) == bool(found.reason)
    return found.reason


def test_an_answer_stems_from_the_tables_and_their_relatives() -> None:
    statement = Parser(cache_size=1, max_length=1000, max_depth=20).parse("SELECT * FROM t LIMIT 1")
    assert verdict(statement.tree, statement.tables, FACTS).tables == ("child", "t")


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELECT current_date", ()),
        ("SELECT LocalTime", ()),
        ("SELECT 't'::regclass", ()),
        ("SELECT * FROM t TABLESAMPLE system (1)", ()),
        ("SELECT * FROM t WHERE ts < 'today'", ()),
        ("SELECT date $$ToMorrow$$", ()),
        ("SELECT * FROM t WHERE ts < $1", ("now",)),
        ("SELECT E'no\\x77'::date", ()),
    ],
)
def test_what_moves_is_not_kept(sql: str, params: tuple[str, ...]) -> None:
    spelling = spell(sql)
    assert spelling is not None
    assert moving_reason(spelling, params)


def test_a_column_may_be_called_like_what_moves() -> None:
    spelling = spell("SELECT \"current_date\", 'nowhere' FROM t")
    assert spelling is not None
    assert moving_reason(spelling, ("knowing", None)) is None


def test_calls_are_seen_in_every_spelling() -> None:
    sql = 'SELECT Random (), "Fn"(1), (a).age, t.b.c, x.y FROM s.f(1) AS x'
    assert calls(lex(sql).tokens) == Calls(
        frozenset({"random", "Fn", "age", "f"}), frozenset({"b", "c", "y"})
    )


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (Facts({T: PLAIN}, frozenset({"random"}), frozenset(), False), "random"),
        (Facts({T: PLAIN}, frozenset(), frozenset({"to_char"}), False), "to_char"),
        (Facts({T: PLAIN}, frozenset(), frozenset(), True), "operator"),
        (Facts({}, frozenset(), frozenset(), False), "no table"),
        (Facts({T: Relation("v", True, frozenset(), {})}, frozenset(), frozenset(), False), "no t"),
        (Facts({T: Relation("r", False, frozenset(), {})}, frozenset(), frozenset(), False), "hid"),
    ],
)
def test_the_catalog_has_the_last_word(facts: Facts, why: str) -> None:
    assert why in reason("SELECT * FROM t", facts)


def test_functions_that_only_settings_could_change_are_kept() -> None:
    facts = Facts({T: PLAIN}, frozenset({"to_char", "date_trunc"}), frozenset(), False)
    assert not reason("SELECT to_char(ts, 'YYYY') FROM t", facts)


@pytest.mark.parametrize(
    "sql",
    ["SELECT ts::date FROM t", "SELECT max(ts)::date FROM t", "SELECT '2024-01-01'::date FROM t",
     "SELECT date_trunc('day', ts)::date FROM t", "SELECT (ts + interval '1 day')::date FROM t",
     "SELECT txt::int, id::text FROM t"],
)  # fmt: skip
def test_times_made_of_times_are_kept(sql: str) -> None:
    assert not reason(sql)


@pytest.mark.parametrize(
    "sql",
    ["SELECT txt::date FROM t", "SELECT ('n' || 'ow')::timestamptz FROM t",
     "SELECT txt::text::timestamp FROM t", "SELECT other::date FROM t",
     "SELECT lower(txt)::date FROM t"],
)  # fmt: skip
def test_times_made_of_texts_are_not(sql: str) -> None:
    assert reason(sql)

"""Parsing, vetting, and what is kept."""

from dataclasses import replace

import pytest

from query.errors import StatementRefused, SyntaxRefused
from query.fragment import ColumnType, Fragment, FragmentError, Partial
from query.statement import Parser, TableName


def parser(cache_size: int = 4) -> Parser:
    return Parser(cache_size=cache_size, max_length=1000, max_depth=10)


def test_a_statement_is_parsed_once_and_kept_while_it_is_used() -> None:
    keeps = parser(cache_size=2)
    first = keeps.parse("SELECT 1")
    keeps.parse("SELECT 2")
    assert keeps.parse("SELECT 1") is first
    keeps.parse("SELECT 3")
    assert keeps.parse("SELECT 1") is first
    second = keeps.parse("SELECT 2")
    assert keeps.parse("SELECT 2") is second


def test_what_is_kept_is_bounded_in_size() -> None:
    keeps = Parser(cache_size=100, max_length=100_000, max_depth=10)
    first = keeps.parse("SELECT 0")
    long = "SELECT '" + "x" * 19_000 + "', {}"
    second = keeps.parse(long.format(1))
    assert keeps.parse(long.format(1)) is second
    for number in range(2, 13):
        keeps.parse(long.format(number))
    assert keeps.parse("SELECT 0") is not first
    assert keeps.parse(long.format(1)) is not second
    longer = "SELECT '" + "x" * 30_000 + "'"
    assert keeps.parse(longer) is not keeps.parse(longer)


def test_tables_are_found_wherever_they_are_read() -> None:
    sql = (
        'WITH a AS (SELECT 1 FROM x) SELECT * FROM a JOIN s."B" ON true WHERE EXISTS '
        "(SELECT 1 FROM Y) AND $2 > $1"
    )
    statement = parser().parse(sql)
    assert set(statement.tables) == {
        TableName(None, "x"),
        TableName("s", "B"),
        TableName(None, "y"),
    }
    assert statement.parameter_count == 2


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT 'x", "SELECT (1", "SELECT \x00"])
def test_what_cannot_be_read_is_a_syntax_error(sql: str) -> None:
    with pytest.raises(SyntaxRefused):
        parser().parse(sql)


def test_the_position_of_a_syntax_error_is_told() -> None:
    with pytest.raises(SyntaxRefused) as caught:
        parser().parse("SELECT 1\nFROM t WHERE )")
    assert caught.value.position is not None
    assert caught.value.position >= 20


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1; SELECT 2", "INSERT INTO t VALUES (1)", "SELECT " + "(" * 11 + "1" + ")" * 11,
     "SELECT " + "CASE WHEN " * 11, "SELECT " + "[" * 11 + "]" * 11,
     "SELECT " + "1" * 1000, "VACUUM", "CREATE TABLE x AS SELECT 1", "LOCK TABLE t", "CALL p()",
     "PREPARE x AS SELECT 1", "DECLARE c CURSOR FOR SELECT 1", "SHOW ALL", "LISTEN x"],
)  # fmt: skip
def test_what_is_not_one_reading_query_is_refused(sql: str) -> None:
    with pytest.raises((StatementRefused, SyntaxRefused)):
        parser().parse(sql)


@pytest.mark.parametrize(
    "call",
    ["set_config('statement_timeout', '0', false)", "pg_terminate_backend(1)",
     "PG_Advisory_Lock(1)",
     'pg_catalog."pg_notify"(\'a\', \'b\')', "pg_read_file('/etc/passwd')", "lo_import('x')",
     "dblink('x', 'y')", "nextval('s')", "query_to_xml('DELETE', true, true, '')"],
)  # fmt: skip
def test_functions_that_reach_beyond_the_query_are_refused(call: str) -> None:
    for sql in (
        f"SELECT {call}",
        f"SELECT 1 FROM t WHERE EXISTS (SELECT {call})",
        f"TABLE t ORDER BY {call}",
    ):
        with pytest.raises(StatementRefused, match="not allowed"):
            parser().parse(sql)


@pytest.mark.parametrize(
    "sql",
    ['SELECT "set_config"(1)', "SELECT pg_catalog . set_config (1)", "SELECT set_config/**/(1)",
     "SELECT set_config --x\r(1)", r"SELECT E'\'' || set_config(1)",
     r"SELECT '\' || set_config(1) --'",
     "SELECT /* /* */ ' */ set_config(1) /* ' */", "SELECT $a$ $$ $a$, set_config(1), $$ $$",
     "SELECT * FROM set_config(1) AS x", "SELECT (set_config(1)).*", "VALUES (set_config(1))",
     "SELECT 1 FROM t, LATERAL set_config(a => t.n)", "SELECT array_agg(n ORDER BY set_config(1))",
     "SELECT E'a'\n'b\\'' || set_config(1)", "WITH x AS (TABLE set_config(1)) TABLE x",
     "SELECT ts_stat('x')", "SELECT lo_get(1)", "SELECT * FROM pg_stat_activity",
     'SELECT * FROM pg_catalog."pg_authid"', "SELECT 'x'::regclass", "SELECT regproc 'x'",
     "SELECT CAST(1 AS pg_catalog.regrole)", "SELECT pg_sleep(1)", "SELECT pg_unheard_of()",
     "SELECT tableoid::regclass FROM (SELECT 1259::oid AS tableoid) AS x"],
)  # fmt: skip
def test_no_spelling_hides_a_name_that_is_not_allowed(sql: str) -> None:
    with pytest.raises(StatementRefused, match="not allowed"):
        parser().parse(sql)


@pytest.mark.parametrize(
    "sql",
    ["SELECT 'set_config(1)'", "SELECT 1 -- set_config(1)", "SELECT /* set_config(1) */ 1",
     "SELECT $$ set_config(1) $$", "SELECT set_config FROM t", "SELECT pg_typeof(1)",
     "SELECT pg_size_pretty(1::bigint)", "SELECT a COLLATE pg_catalog.\"C\" FROM t",
     "SELECT tableoid::regclass, count(*) FROM t GROUP BY 1",
     "SELECT to_tsvector('x'::regconfig, a)",
     "SELECT ';', $$;$$, \";\" FROM t /* ; */ ; ;", "SELECT '((((((((((((((((((('"],
)  # fmt: skip
def test_what_only_looks_forbidden_is_allowed(sql: str) -> None:
    assert parser().parse(sql).unread is None


@pytest.mark.parametrize(
    "sql",
    ["SELECT OPERATOR(pg_catalog.-) 1", "SELECT 1" + "+1" * 400, "SELECT NOT NOT" * 3,
     "SELECT a" + "[1]" * 100, "SELECT a" + "::int" * 150, "SELECT " + "- " * 400 + "1"],
)  # fmt: skip
def test_what_our_parser_cannot_read_is_left_to_postgresql(sql: str) -> None:
    statement = parser().parse(sql)
    assert statement.unread is not None
    assert statement.tables == ()


def test_parameters_count_as_postgresql_counts_them() -> None:
    assert parser().parse("SELECT $2, '$3', a$4, $$ $5 $$ FROM t -- $6").parameter_count == 2
    assert parser().parse("SELECT $" + "9" * 900).parameter_count == 999_999


@pytest.mark.parametrize(
    ("sql", "leaves"),
    [
        ("SELECT t.n FROM t", False),
        ("SELECT x.n FROM public.t AS x JOIN information_schema.tables AS y ON y.table_name = x.a",
         False),
        ("SELECT pg_catalog.lower(public.f(1))", False),
        ("SELECT 1 FROM other.t", True),
        ("SELECT 1 FROM other.t AS other", True),
        ('SELECT 1 FROM "Public".t', True),
        ("SELECT other.f(1)", True),
        ("SELECT other.f(1) FROM t AS other", True),
        ("SELECT 'x'::other.mood", True),
        ('SELECT a COLLATE other."C" FROM t', True),
        ("SELECT 1 OPERATOR(other.+) 1", True),
    ],
)  # fmt: skip
def test_it_is_known_whether_other_schemas_may_be_named(sql: str, leaves: bool) -> None:
    assert parser().parse(sql).leaves_schema is leaves


@pytest.mark.parametrize(
    ("sql", "leaves"),
    [
        ("SELECT j.n FROM t AS a", False),
        ("SELECT other.t.n FROM t", True),
        ("SELECT j.n FROM other.t", True),
        ("SELECT j.n, other.f(1) FROM t", True),
        ("SELECT public.t.n FROM t", False),
    ],
)
def test_a_wrong_alias_is_told_from_a_table_elsewhere(sql: str, leaves: bool) -> None:
    assert parser().parse(sql).leaves_for_tables is leaves


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1;", "VALUES (1)", "TABLE t", "(SELECT 1) UNION ALL SELECT 2",
     "WITH a AS (SELECT 1) TABLE a"],
)  # fmt: skip
def test_every_form_of_reading_is_allowed(sql: str) -> None:
    assert parser().parse(sql).sql == sql


def test_fragments_and_partials_travel_unchanged() -> None:
    fragment = Fragment(3, "SELECT 'ü'", ("1", None), "00-1", 10, 20)
    assert Fragment.decode(fragment.encode()) == fragment
    error = FragmentError("sql", "division by zero", "22012")
    assert FragmentError.decode(error.encode()) == error
    assert FragmentError.decode("Boom: x") == FragmentError("internal", "Boom: x")
    partial = Partial.decode(b'[[[23,-1,"n"]],[["1"]],1]')
    assert partial == Partial((ColumnType(23, -1, "n"),), [["1"]], 1)
    assert Partial.decode(replace(partial, postgresql_s=0.25).encode()).postgresql_s == 0.25
    for kind in (Fragment, Partial):
        with pytest.raises(ValueError, match="not a"):
            kind.decode(b"[1, 2]")

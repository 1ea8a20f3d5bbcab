# ruff: noqa: E501, RUF001 - SQL reads best on one line; look-alikes of letters are meant
"""Inputs that mean harm, and how each has to end.  Tests and bench/stack/hostile.py send the same ones.

They need a table `t (n int)`, and know of schemas `hidden` (out of reach) and `visible` (in reach,
with a table `secret (code text)` that is not).
"""

from dataclasses import dataclass

NOT_ALLOWED, SYNTAX, INVALID = "statement-not-allowed", "sql-syntax", "sql-invalid"
NOT_PERMITTED, FAILED, LATE = "sql-not-permitted", "sql-failed", "timed-out"
TOO_COSTLY, WRONG_BODY, TOO_LARGE = "query-too-costly", "validation-failed", "body-too-large"
ANSWER = "answer"
BOUNDED = (ANSWER, FAILED, LATE, TOO_COSTLY, SYNTAX, INVALID)


@dataclass(frozen=True)
class Hostile:
    """A request, and the slugs of the problems it may end in; "answer" is a 200."""

    name: str
    sql: str
    ends: tuple[str, ...]
    params: tuple[str | int | None, ...] = ()


def _refused(name: str, sql: str) -> Hostile:
    return Hostile(name, sql, (NOT_ALLOWED,))


INPUTS: tuple[Hostile, ...] = (
    # statements that are none of ours
    _refused("insert", "INSERT INTO t VALUES (1)"),
    _refused("update", "UPDATE t SET n = 0"),
    _refused("delete", "DELETE FROM t"),
    _refused("drop table", "DROP TABLE t"),
    _refused("copy to program", "COPY t TO PROGRAM 'touch /tmp/hostile'"),
    _refused("copy from file", "COPY t FROM '/etc/passwd'"),
    _refused("set", "SET statement_timeout = 0"),
    _refused("reset role", "RESET ROLE"),
    _refused("set role", "SET ROLE postgres"),
    _refused("do", "DO $$ BEGIN PERFORM 1; END $$"),
    _refused("call", "CALL p()"),
    _refused("prepare", "PREPARE x AS DELETE FROM t"),
    _refused("execute", "EXECUTE x"),
    _refused("listen", "LISTEN x"),
    _refused("notify", "NOTIFY x"),
    _refused("lock", "LOCK TABLE t"),
    _refused("explain analyze", "EXPLAIN ANALYZE DELETE FROM t"),
    _refused("begin read write", "BEGIN READ WRITE"),
    _refused("declare", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"),
    _refused("vacuum", "VACUUM FULL"),
    _refused("create function", "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1"),
    _refused("load", "LOAD 'auto_explain'"),
    _refused("alter system", "ALTER SYSTEM SET work_mem = '9GB'"),
    # more than one
    _refused("stacked", "SELECT 1; DROP TABLE t"),
    _refused("stacked behind a commit", "SELECT 1; COMMIT; DELETE FROM t"),
    _refused("stacked behind a comment", "SELECT 1 /* ; */ ; /* */ DELETE FROM t"),
    _refused("stacked behind an escape", r"SELECT '\'; DELETE FROM t; --'"),
    Hostile("closing a parenthesis around it", "SELECT 1) TO PROGRAM 'id' --", (SYNTAX,)),
    Hostile("an option of EXPLAIN", "ANALYZE SELECT 1", (NOT_ALLOWED, SYNTAX)),
    # writing inside of a query
    _refused("delete in WITH", "WITH gone AS (DELETE FROM t RETURNING n) SELECT * FROM gone"),
    _refused("select into", "SELECT n INTO mine FROM t"),
    _refused("for update", "SELECT n FROM t FOR UPDATE"),
    Hostile("delete in what our parser cannot read", "WITH gone AS (DELETE FROM t WHERE n OPERATOR(pg_catalog.>) 0 RETURNING *) SELECT OPERATOR(pg_catalog.-) n FROM gone", (NOT_ALLOWED, NOT_PERMITTED)),
    # functions
    _refused("pg_read_file", "SELECT pg_read_file('/etc/passwd')"),
    _refused("pg_ls_dir in FROM", "SELECT * FROM pg_ls_dir('/') AS x"),
    _refused("lo_import", "SELECT lo_import('/etc/passwd')"),
    _refused("lo_from_bytea", "SELECT lo_from_bytea(0, 'x')"),
    _refused("dblink", "SELECT * FROM dblink('host=127.0.0.1', 'SELECT 1') AS x(n int)"),
    _refused("pg_terminate_backend", "SELECT pg_terminate_backend(1)"),
    _refused("pg_cancel_backend over numbers", "SELECT pg_cancel_backend(n) FROM generate_series(1, 99999) AS n"),
    _refused("set_config", "SELECT set_config('statement_timeout', '0', false)"),
    _refused("set_config, quoted", "SELECT \"set_config\"('role', 'postgres', false)"),
    _refused("set_config, qualified, with blanks", "SELECT pg_catalog . /* */ set_config\n('role', 'postgres', false)"),
    _refused("set_config by Unicode escapes", "SELECT U&\"set\\005fconfig\"('role', 'x', false)"),
    _refused("set_config behind nested comments", "SELECT /* /* */ ' */ set_config('a.b', 'c', false) /* ' */"),
    _refused("set_config behind a carriage return", "SELECT 1 -- \r, set_config('a.b', 'c', false)"),
    _refused("set_config behind a backslash", r"SELECT '\' || set_config('a.b', 'c', false) --'"),
    _refused("set_config behind a continued string", "SELECT E'a'\n'\\'' || set_config('a.b', 'c', false)"),
    _refused("set_config behind dollar quotes", "SELECT $a$ $$ $a$ || set_config('a.b', $$c$$, false)"),
    _refused("set_config in VALUES", "VALUES (set_config('a.b', 'c', false))"),
    _refused("set_config in ORDER BY of an aggregate", "SELECT array_agg(n ORDER BY set_config('a.b', 'c', false)) FROM t"),
    _refused("set_config through query_to_xml", "SELECT query_to_xml('SELECT set_config(''a.b'', ''c'', false)', true, true, '')"),
    _refused("set_config through ts_stat", "SELECT * FROM ts_stat('SELECT set_config(''a.b'', ''c'', false)::tsvector')"),
    Hostile("set_config in full-width letters", "SELECT ｓｅｔ_config('a.b', 'c', false)", (INVALID,)),
    Hostile("set_config behind a blank of Unicode", "SELECT\u00a0set_config('a.b', 'c', false)", (SYNTAX,)),
    _refused("advisory lock", "SELECT pg_advisory_lock(1)"),
    _refused("pg_notify", "SELECT pg_notify('x', 'y')"),
    _refused("pg_sleep", "SELECT pg_sleep(3600)"),
    _refused("nextval", "SELECT nextval('s')"),
    _refused("txid_current", "SELECT txid_current()"),
    _refused("pg_reload_conf", "SELECT pg_reload_conf()"),
    Hostile("a function of the exposed schema that writes", "SELECT writes()", (NOT_PERMITTED, INVALID)),
    # what is not theirs to know
    _refused("pg_authid", "SELECT rolpassword FROM pg_authid"),
    _refused("pg_stat_activity", 'SELECT query FROM "pg_catalog"."pg_stat_activity"'),
    _refused("names by number", "SELECT n::oid::regclass FROM generate_series(16384, 17000) AS n"),
    _refused("views by number", "SELECT pg_get_viewdef(n::oid) FROM generate_series(1, 20000) AS n"),
    Hostile("our own tables", "SELECT * FROM millrace.installation", (NOT_PERMITTED,)),
    Hostile("a hidden table", "SELECT * FROM hidden.secret", (NOT_PERMITTED,)),
    Hostile("a hidden table that is not there", "SELECT * FROM hidden.nothing", (NOT_PERMITTED,)),
    Hostile("a hidden schema that is not there", "SELECT * FROM nothing.nothing", (NOT_PERMITTED,)),
    Hostile("columns of a table out of reach", "SELECT cod FROM visible.secret AS visible", (NOT_PERMITTED,)),
    Hostile("a function of another schema", "SELECT hidden.f(1)", (NOT_PERMITTED,)),
    Hostile("a type of another schema", "SELECT 'x'::hidden.mood", (NOT_PERMITTED,)),
    # size
    Hostile("1 MB of SQL", "SELECT '" + "x" * 1_000_000 + "'", (NOT_ALLOWED, TOO_LARGE)),
    Hostile("100 kB of one word", "SELECT '" + "x" * 99_000 + "'", (ANSWER,)),
    Hostile("10,000 ANDs", "SELECT count(*) FROM t WHERE true" + " AND n>0" * 10_000, BOUNDED),
    Hostile("40,000 additions", "SELECT 1" + "+1" * 40_000, BOUNDED),
    Hostile("20,000 NOTs", "SELECT " + "NOT " * 20_000 + "true", BOUNDED),
    Hostile("40,000 signs", "SELECT " + "- " * 40_000 + "1", BOUNDED),
    Hostile("10,000 casts", "SELECT 1" + "::int" * 10_000, BOUNDED),
    Hostile("20,000 subscripts", "SELECT ARRAY[1]" + "[1]" * 20_000, BOUNDED),
    Hostile("15,000 members of JSON", "SELECT '{}'::jsonb" + "->'a'" * 15_000, BOUNDED),
    Hostile("5,000 UNIONs", "SELECT 1" + " UNION SELECT 1" * 5_000, BOUNDED),
    Hostile("30,000 elements", "SELECT 1 WHERE 1 IN (1" + ",1" * 30_000 + ")", BOUNDED),
    Hostile("60 joins of a table with itself", "SELECT count(*) FROM t" + "".join(f" JOIN t AS t{n} USING (n)" for n in range(60)), BOUNDED),
    _refused("10,000 parentheses", "SELECT " + "(" * 10_000 + "1" + ")" * 10_000),
    _refused("10,000 brackets", "SELECT ARRAY" + "[" * 10_000 + "1" + "]" * 10_000),
    _refused("1,000 CASEs", "SELECT " + "CASE WHEN true THEN " * 1_000 + "1" + " END" * 1_000),
    _refused("50,000 openings of comments", "/*" * 50_000),
    _refused("25,000 comments", "SELECT 1" + "/**/" * 24_000),
    _refused("90,000 signs without blanks", "SELECT " + "+" * 90_000 + "1"),
    Hostile("30,000 openings of comments with blanks", "/* " * 30_000, (SYNTAX,)),
    Hostile("null character", "SELECT 1\0; DROP TABLE t", (SYNTAX,)),
    Hostile("a parameter of a large number", "SELECT $99999999999", (WRONG_BODY,)),
    Hostile("SQL in a parameter", "SELECT n FROM t WHERE n::text = $1", (ANSWER,), ("'; DELETE FROM t; --",)),
    Hostile("a parameter of 500 kB", "SELECT length($1::text)", (ANSWER,), ("x" * 500_000,)),
    # time and space
    Hostile("cross join of a billion billions", "SELECT count(*) FROM generate_series(1, 1000000000) AS a, generate_series(1, 1000000000) AS b", (TOO_COSTLY, LATE, FAILED)),
    Hostile("cross join that looks cheap", "SELECT count(*) FROM (SELECT generate_series(1, (SELECT 2000000000))) AS a", (TOO_COSTLY, LATE)),
    Hostile("recursion without end", "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r", (TOO_COSTLY, LATE, FAILED)),
    Hostile("recursion that doubles a text", "WITH RECURSIVE r AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM r) SELECT max(length(s)) FROM r", (LATE, FAILED)),
    Hostile("a text of a gigabyte", "SELECT repeat('x', 1200000000)", (FAILED,)),
    Hostile("half a gigabyte in one value", "SELECT length(repeat('x', 500000000))", (ANSWER, FAILED, TOO_COSTLY)),
    Hostile("a result without end", "SELECT generate_series(1, 2000000000)", (ANSWER,)),
    Hostile("a regular expression that backtracks", "SELECT repeat('a', 40) ~ '^((a+)+)+\\1$'", BOUNDED),
    Hostile("an array of a billion", "SELECT count(x) FROM (SELECT array_fill(0, ARRAY[1000000000]) AS x) AS y", BOUNDED),
)  # fmt: skip

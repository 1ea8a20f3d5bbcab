"""What the reader must not do, PostgreSQL itself refuses: no parser of ours is involved."""

import psycopg
import pytest
from psycopg import errors

from db.database import Database
from db.migrate import migrate
from db.reader import reader_database
from db.settings import DatabaseSettings

READ_ONLY = errors.ReadOnlySqlTransaction
NO_RIGHT = errors.InsufficientPrivilege
SWITCH_ON_WRITING = (
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "SELECT set_config('transaction_read_only', 'off', false)",
)


def run(database: Database, *statements: str) -> None:
    with database.connection() as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.mark.parametrize(
    ("statement", "refusals"),
    [
        ("INSERT INTO t VALUES (4)", (READ_ONLY,)),
        ("UPDATE t SET n = 0", (READ_ONLY,)),
        ("DELETE FROM t", (READ_ONLY,)),
        ("TRUNCATE t", (READ_ONLY,)),
        ("WITH gone AS (DELETE FROM t RETURNING n) SELECT * FROM gone", (READ_ONLY,)),
        ("SELECT * FROM t FOR UPDATE", (READ_ONLY, NO_RIGHT)),
        ("CREATE TABLE mine (n int)", (READ_ONLY,)),
        ("SELECT 1 AS n INTO mine", (READ_ONLY,)),
        ("DROP TABLE t", (READ_ONLY, NO_RIGHT)),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1", (READ_ONLY,)),
        ("SET ROLE millrace", (NO_RIGHT,)),
        ("SELECT set_config('role', 'millrace', false)", (NO_RIGHT,)),
        ("SET SESSION AUTHORIZATION millrace", (NO_RIGHT,)),
        ("SELECT * FROM millrace.installation", (NO_RIGHT,)),
        ("SELECT * FROM millrace.schema_migrations", (NO_RIGHT,)),
        ("SELECT pg_read_file('PG_VERSION')", (NO_RIGHT,)),
        ("SELECT pg_ls_dir('.')", (NO_RIGHT,)),
        ("SELECT rolpassword FROM pg_authid", (NO_RIGHT,)),
        ("COPY t TO PROGRAM 'cat'", (NO_RIGHT,)),
        ("COPY (SELECT 1) TO '/tmp/millrace-copy'", (NO_RIGHT,)),
        ("COPY t FROM STDIN", (READ_ONLY, NO_RIGHT)),
        ("SELECT lo_import('/etc/passwd')", (NO_RIGHT, READ_ONLY)),
        ("SELECT lo_create(0)", (READ_ONLY,)),
        ("SELECT pg_reload_conf()", (NO_RIGHT,)),
        ("SELECT pg_rotate_logfile()", (NO_RIGHT,)),
        ("SELECT pg_stat_file('PG_VERSION')", (NO_RIGHT,)),
        ("SELECT pg_read_binary_file('PG_VERSION')", (NO_RIGHT,)),
        ("SELECT pg_current_logfile()", (NO_RIGHT,)),
        ("SELECT pg_switch_wal()", (NO_RIGHT,)),
        ("SELECT pg_create_restore_point('x')", (NO_RIGHT,)),
        ("SELECT pg_stat_reset()", (NO_RIGHT,)),
        ("SELECT pg_log_backend_memory_contexts(pg_backend_pid())", (NO_RIGHT,)),
        ("SELECT pg_create_physical_replication_slot('x')", (NO_RIGHT,)),
        ("SELECT lo_from_bytea(0, 'x')", (READ_ONLY,)),
        ("SELECT lo_export(1, '/tmp/millrace-lo')", (NO_RIGHT,)),
        ("SELECT nextval('s')", (NO_RIGHT, READ_ONLY)),
        ("SELECT setval('s', 9)", (NO_RIGHT, READ_ONLY)),
        ("SELECT dblink('host=127.0.0.1', 'SELECT 1')", (errors.UndefinedFunction,)),
        (
            "SELECT * FROM ts_stat('DELETE FROM t RETURNING ''x''::tsvector')",
            (READ_ONLY, errors.FeatureNotSupported, errors.InvalidCursorDefinition),
        ),
        (
            "SELECT query_to_xml('DELETE FROM t', true, true, '')",
            (READ_ONLY, errors.FeatureNotSupported),
        ),
    ],
)
def test_postgresql_refuses(
    settings: DatabaseSettings, statement: str, refusals: tuple[type[psycopg.Error], ...]
) -> None:
    with reader_database(settings, "test") as database:
        with pytest.raises(refusals):
            run(database, statement)
        with pytest.raises(refusals):
            run(database, "BEGIN READ ONLY", statement)


def test_sessions_of_other_roles_are_out_of_its_reach(
    settings: DatabaseSettings, database_url: str
) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute("SELECT 'a secret of the owner'")
        pid = owner.info.backend_pid
        with reader_database(settings, "test") as database:
            for function in ("pg_terminate_backend", "pg_cancel_backend"):
                with pytest.raises(NO_RIGHT):
                    run(database, f"SELECT {function}({pid})")
            with database.connection() as connection:
                seen = connection.execute(
                    "SELECT query FROM pg_stat_activity WHERE pid = $1::int", [str(pid)]
                ).fetchone()
        assert seen == ("<insufficient privilege>",)
        assert owner.execute("SELECT 1").fetchone() == (1,)


def test_a_setting_that_it_changed_is_gone_for_the_next_query(settings: DatabaseSettings) -> None:
    with reader_database(settings, "test") as database:
        run(database, "SELECT set_config('statement_timeout', '0', false), pg_advisory_lock(7)")
        with database.connection() as connection:
            rows = connection.execute(
                "SELECT current_setting('statement_timeout'), (SELECT count(*) FROM pg_locks "
                "WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
            ).fetchall()
    assert rows == [("1min", "0")]


def test_a_lock_that_somebody_holds_is_waited_for_only_so_long(
    settings: DatabaseSettings, database_url: str
) -> None:
    impatient = settings.model_copy(update={"lock_timeout_s": 0.05})
    with psycopg.connect(database_url) as owner:
        owner.execute("ALTER TABLE t ADD COLUMN more int")
        with (
            reader_database(impatient, "test") as database,
            pytest.raises(errors.LockNotAvailable),
        ):
            run(database, "SELECT * FROM t")


def test_temporary_files_are_limited(database_url: str, role: str) -> None:
    small = DatabaseSettings(url=database_url, reader_role=role, temp_file_limit_mb=1)
    migrate(database_url, small)
    with (
        reader_database(small, "test") as database,
        pytest.raises(errors.ConfigurationLimitExceeded),
    ):
        run(database, "SELECT count(*) FROM (SELECT n FROM generate_series(1, 900000) AS n "
            "ORDER BY n DESC) AS x")  # fmt: skip


@pytest.mark.parametrize("switch", SWITCH_ON_WRITING)
def test_a_read_only_transaction_stays_so(settings: DatabaseSettings, switch: str) -> None:
    with (
        reader_database(settings, "test") as database,
        pytest.raises((READ_ONLY, errors.ActiveSqlTransaction)),
    ):
        run(database, "BEGIN READ ONLY", "SELECT * FROM t", switch, "CREATE TABLE mine (n int)")


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO t VALUES (4)", "DELETE FROM t", "CREATE TABLE mine (n int)", "DROP TABLE t",
     "CREATE SCHEMA mine", "SELECT * FROM t FOR UPDATE"],
)  # fmt: skip
def test_with_the_read_only_default_switched_off_rights_are_still_missing(
    settings: DatabaseSettings, statement: str
) -> None:
    with (
        reader_database(settings, "test") as database,
        pytest.raises(NO_RIGHT),
    ):
        run(database, SWITCH_ON_WRITING[0], statement)


def test_it_reads_tables_and_views_of_the_schema_also_those_made_later(
    settings: DatabaseSettings, database_url: str
) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute("CREATE TABLE later AS SELECT 7 AS n")
        owner.execute("CREATE VIEW seen AS SELECT n + 1 AS n FROM later")
    with reader_database(settings, "test") as database, database.connection() as connection:
        rows = connection.execute("SELECT n FROM later UNION ALL SELECT n FROM seen").fetchall()
        assert rows == [("7",), ("8",)]


def test_it_reads_no_other_schema(settings: DatabaseSettings, database_url: str) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute("CREATE SCHEMA private CREATE TABLE private.secret (n int)")
    with (
        reader_database(settings, "test") as database,
        pytest.raises(NO_RIGHT),
        database.connection() as connection,
    ):
        connection.execute("SELECT * FROM private.secret")


def test_another_schema_can_be_the_exposed_one(database_url: str, role: str) -> None:
    settings = DatabaseSettings(url=database_url, reader_role=role, schema_name='My "shop"')
    with psycopg.connect(database_url) as owner:
        owner.execute('CREATE SCHEMA "My ""shop"""')
        owner.execute('CREATE TABLE "My ""shop""".sales AS SELECT 5 AS n')
        owner.execute("CREATE TABLE public.hidden (n int)")
    migrate(database_url, settings)
    with reader_database(settings, "test") as database:
        with database.connection() as connection:
            assert connection.execute("SELECT n FROM sales").fetchone() == ("5",)
        with pytest.raises(NO_RIGHT), database.connection() as connection:
            connection.execute("SELECT * FROM public.hidden")

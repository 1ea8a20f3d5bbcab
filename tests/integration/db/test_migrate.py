"""Migrations and the reader's role: whole or not at all, again and again, by many at once."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cli.embedded.postgres import EmbeddedPostgres
from db.errors import DatabaseUnavailable, MigrationFailed
from db.migrate import apply, migrate
from db.migration_files import Migration, packaged_migrations
from db.reader import reader_database
from db.settings import DatabaseSettings


def one(url: str, query: str, *parameters: str) -> Any:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
        return row[0] if row else None


def settings_for(url: str, role: str, **more: str) -> DatabaseSettings:
    return DatabaseSettings(url=url, reader_role=role, **more)


@pytest.fixture
def plain_owner(postgres: EmbeddedPostgres, database_url: str, role: str) -> Iterator[str]:
    """URL of the test's database for an owner who is no superuser; named `<role>_owner`."""
    owner = f"{role}_owner"
    database = one(database_url, "SELECT current_database()")
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {owner} LOGIN NOSUPERUSER")
        admin.execute(f"ALTER DATABASE {database} OWNER TO {owner}")
    yield make_conninfo(database_url, user=owner, password="plain")
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {database} OWNER TO millrace")
        admin.execute(f"REASSIGN OWNED BY {owner} TO millrace")
        admin.execute(f"DROP OWNED BY {owner}")
        if one(database_url, "SELECT true FROM pg_roles WHERE rolname = %s", role):
            admin.execute(f"DROP OWNED BY {role}")
            admin.execute(f"DROP ROLE {role}")
        admin.execute(f"DROP ROLE {owner}")


def test_the_second_migration_has_nothing_to_do(database_url: str, role: str) -> None:
    settings = settings_for(database_url, role)
    assert migrate(database_url, settings) == [m.name for m in packaged_migrations()]
    installation = one(database_url, "SELECT id FROM millrace.installation")
    assert migrate(database_url, settings) == []
    assert one(database_url, "SELECT id FROM millrace.installation") == installation


def test_many_migrations_at_once_are_one(database_url: str, role: str) -> None:
    settings = settings_for(make_conninfo(database_url, password="secret"), role)
    with ThreadPoolExecutor(6) as threads:
        runs = [threads.submit(migrate, settings.url, settings) for _ in range(6)]
        applied = [name for run in runs for name in run.result(60)]
    assert applied == [m.name for m in packaged_migrations()]


def test_databases_of_one_cluster_are_migrated_at_once_though_they_share_the_role(
    postgres: EmbeddedPostgres, role: str
) -> None:
    names = [f"{role}_{number}" for number in range(5)]
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        for name in names:
            admin.execute(f"CREATE DATABASE {name}")
        try:
            urls = [make_conninfo(postgres.url(name), password="secret") for name in names]
            with ThreadPoolExecutor(5) as threads:
                for _ in range(3):
                    settings = [settings_for(url, role) for url in urls]
                    for run in [threads.submit(migrate, s.url, s) for s in settings]:
                        run.result(60)
            for url in urls:
                assert one(make_conninfo(url, user=role), "SELECT current_user") == role
        finally:
            for name in names:
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_failed_migration_leaves_nothing_of_itself(database_url: str) -> None:
    good = Migration(1, "0001_good", "CREATE TABLE millrace.good (n int)")
    bad = Migration(2, "0002_bad", "CREATE TABLE millrace.bad (n int); SELECT 1 / 0")
    with psycopg.connect(database_url, autocommit=True) as connection:
        with pytest.raises(MigrationFailed, match=r"0002_bad.*division by zero"):
            apply(connection, [good, bad])
        assert one(database_url, "SELECT to_regclass('millrace.good')") is not None
        assert one(database_url, "SELECT to_regclass('millrace.bad')") is None
        mended = Migration(2, "0002_bad", "CREATE TABLE millrace.bad (n int)")
        assert apply(connection, [good, mended]) == ["0002_bad"]
        with pytest.raises(MigrationFailed, match="other contents"):
            apply(connection, [good, bad])
        with pytest.raises(MigrationFailed, match="newer Millrace"):
            apply(connection, [good])


def test_a_reader_that_exists_with_wrong_attributes_is_corrected(
    database_url: str, role: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} NOLOGIN INHERIT SUPERUSER CREATEDB CONNECTION LIMIT 1")
    migrate(database_url, settings_for(database_url, role))
    attributes = (
        "SELECT (rolcanlogin, rolinherit, rolsuper, rolcreatedb, rolcreaterole, rolreplication, "
        "rolbypassrls, rolconnlimit)::text FROM pg_roles WHERE rolname = %s"
    )
    assert one(database_url, attributes, role) == "(t,f,f,f,f,f,f,-1)"


def test_its_role_is_read_only_also_outside_of_millrace(database_url: str, role: str) -> None:
    migrate(database_url, settings_for(database_url, role))
    plain = make_conninfo(database_url, user=role)
    assert one(plain, "SHOW default_transaction_read_only") == "on"
    assert one(plain, "SHOW statement_timeout") == "1min"
    assert one(plain, "SHOW temp_file_limit") == "4GB"


def test_the_password_is_derived_and_set_as_a_hash(database_url: str, role: str) -> None:
    query = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
    migrate(database_url, settings_for(database_url, role))
    assert one(database_url, query, role) is None
    url = make_conninfo(database_url, password="secret")
    migrate(url, settings_for(url, role))
    assert one(database_url, query, role).startswith("SCRAM-SHA-256$")


def test_a_reader_with_membership_in_another_role_is_refused(database_url: str, role: str) -> None:
    settings = settings_for(database_url, role)
    migrate(database_url, settings)
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"GRANT pg_read_all_data TO {role}")
    with pytest.raises(MigrationFailed, match=f'REVOKE "pg_read_all_data" FROM "{role}"'):
        migrate(database_url, settings)


def test_the_owner_is_refused_as_the_reader(database_url: str) -> None:
    with pytest.raises(MigrationFailed, match="MILLRACE_READER_ROLE"):
        migrate(database_url, settings_for(database_url, "millrace"))


def test_tables_of_an_owner_called_millrace_do_not_land_in_our_schema(
    database_url: str, role: str
) -> None:
    migrate(database_url, settings_for(database_url, role))
    with psycopg.connect(database_url) as owner:
        assert owner.info.user == "millrace"
        owner.execute("CREATE TABLE mine (n int)")
    assert one(database_url, "SELECT to_regclass('public.mine')") is not None


def test_a_missing_schema_is_named(database_url: str, role: str) -> None:
    with pytest.raises(MigrationFailed, match=r"'sales' \(MILLRACE_SCHEMA\)"):
        migrate(database_url, settings_for(database_url, role, schema_name="sales"))


def test_an_owner_who_may_create_roles_needs_no_superuser(
    postgres: EmbeddedPostgres, plain_owner: str, role: str
) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {role}_owner CREATEROLE")
    settings = settings_for(plain_owner, role)
    with psycopg.connect(plain_owner) as owner:
        owner.execute("CREATE TABLE t AS SELECT 1 AS n")
    for _ in range(2):
        migrate(plain_owner, settings)
    with reader_database(settings, "test") as database, database.connection() as connection:
        assert connection.execute("SELECT n FROM t").fetchone() == ("1",)


def test_an_owner_who_may_not_create_roles_learns_the_sql_which_then_suffices(
    postgres: EmbeddedPostgres, plain_owner: str, role: str
) -> None:
    with pytest.raises(MigrationFailed) as failed:
        migrate(plain_owner, settings_for(plain_owner, role))
    message = str(failed.value)
    assert "MILLRACE_READER_URL" in message
    statements = [line for line in message.splitlines() if line.endswith(";")]
    with psycopg.connect(make_conninfo(plain_owner, user="millrace"), autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement.encode())
    reader = make_conninfo(plain_owner, user=role)
    settings = settings_for(plain_owner, "unused", reader_url=reader)
    migrate(plain_owner, settings)
    with psycopg.connect(plain_owner) as owner:
        owner.execute("CREATE TABLE later AS SELECT 1 AS n")
    with reader_database(settings, "test") as database, database.connection() as connection:
        assert connection.execute("SELECT n, current_user FROM later").fetchone() == ("1", role)


def test_an_owner_who_may_not_create_schemas_learns_the_sql(
    postgres: EmbeddedPostgres, plain_owner: str, role: str
) -> None:
    stranger = make_conninfo(plain_owner, user=f"{role}_owner")
    database = one(plain_owner, "SELECT current_database()")
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {database} OWNER TO millrace")
    with pytest.raises(MigrationFailed, match=f'GRANT CREATE ON DATABASE "{database}"'):
        migrate(stranger, settings_for(stranger, role))


def test_tables_of_others_are_named_and_left_alone(
    plain_owner: str, database_url: str, role: str, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(database_url) as admin:
        admin.execute("CREATE TABLE of_others (n int)")
        admin.execute(f"ALTER ROLE {role}_owner CREATEROLE")
    with caplog.at_level(logging.WARNING, "db.reader_role"):
        migrate(plain_owner, settings_for(plain_owner, role))
    assert "of_others" in caplog.text


def test_a_server_that_is_away_is_told_apart(role: str) -> None:
    url = "postgresql://owner@/shop?host=/nonexistent"
    with pytest.raises(DatabaseUnavailable):
        migrate(url, settings_for(url, role))


def test_the_program_says_what_it_did(database_url: str, role: str) -> None:
    environment = {**os.environ, "DATABASE_URL": database_url, "MILLRACE_READER_ROLE": role}
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "db.migrate"],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        outputs.append(done.stdout)
    names = ", ".join(migration.name for migration in packaged_migrations())
    assert outputs == [f"applied: {names}\n", "applied: nothing to do\n"]
    environment["MILLRACE_READER_ROLE"] = "millrace"
    done = subprocess.run(
        [sys.executable, "-m", "db.migrate"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "MILLRACE_READER_ROLE" in done.stderr
    assert "Traceback" not in done.stderr

"""Brings a database to this version: our schema's migrations, then the reader's role and rights.

`python -m db.migrate` does it for DATABASE_URL.  Safe to run at any time, by many at once.
"""

import logging
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from db.database import to_primary
from db.errors import DatabaseError, DatabaseUnavailable, MigrationFailed
from db.migration_files import Migration, packaged_migrations, pending
from db.reader_role import ReaderRole
from db.settings import OWN_SCHEMA, DatabaseSettings

_LOCK = 0x6D696C6C72616365  # "millrace": the advisory lock that admits one migration per database
_LOCK_WAIT_S = 60
_OWN_TABLES = """
    CREATE SCHEMA IF NOT EXISTS millrace;
    REVOKE ALL ON SCHEMA millrace FROM PUBLIC;
    CREATE TABLE IF NOT EXISTS millrace.schema_migrations (
        version int PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    );
"""
_ATTEMPTS = 20
_LONGEST_PAUSE_S = 0.2


def migrate(owner_url: str, settings: DatabaseSettings) -> list[str]:
    """Apply what is missing and return its names, in order; empty if there was nothing to do.

    Raises DatabaseUnavailable when PostgreSQL can't be reached, else MigrationFailed; each
    migration, and the reader's set-up, happens whole or not at all.
    """
    try:
        connection = psycopg.connect(
            to_primary(owner_url),
            autocommit=True,
            application_name="millrace/migrate",
            connect_timeout=settings.connect_timeout_s,
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"PostgreSQL is not available: {error}", 1.0) from error
    with connection:
        try:
            _lock(connection)
            applied = apply(connection, packaged_migrations())
            _keep_owners_tables_out(connection)
            set_up_reader(connection, owner_url, settings)
        except psycopg.Error as error:
            raise MigrationFailed(f"The migration failed: {str(error).strip()}") from error
    return applied


def apply(connection: psycopg.Connection[Any], migrations: Sequence[Migration]) -> list[str]:
    """Apply those of `migrations` that are missing, each in a transaction; return their names."""
    try:
        # not IF NOT EXISTS alone: that asks for the right to create even where nothing is created
        if not _own_tables_exist(connection):
            with connection.transaction():
                connection.execute(_OWN_TABLES)
    except psycopg.errors.InsufficientPrivilege as error:
        grant = sql.SQL("GRANT CREATE ON DATABASE {database} TO {owner};").format(
            database=sql.Identifier(connection.info.dbname),
            owner=sql.Identifier(connection.info.user),
        )
        raise MigrationFailed(
            f"The schema millrace cannot be created: {str(error).strip()}\n"
            f"Let an administrator run:\n{grant.as_string(connection)}"
        ) from error
    known = connection.execute(
        "SELECT version, name, checksum FROM millrace.schema_migrations ORDER BY version"
    ).fetchall()
    todo = pending(migrations, known)
    for migration in todo:
        try:
            with connection.transaction():
                connection.execute(migration.sql.encode())
                connection.execute(
                    "INSERT INTO millrace.schema_migrations (version, name, checksum) "
                    "VALUES (%s, %s, %s)",
                    [migration.version, migration.name, migration.checksum],
                )
        except psycopg.Error as error:
            raise MigrationFailed(
                f"Migration {migration.name!r} failed, and nothing of it remains: "
                f"{str(error).strip()}"
            ) from error
    return [migration.name for migration in todo]


def set_up_reader(
    connection: psycopg.Connection[Any],
    owner_url: str,
    settings: DatabaseSettings,
    *,
    pause: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> None:
    """Create or correct the reader's role and rights, in one transaction.

    The advisory lock holds for one database, but roles belong to the whole cluster: where the
    migrations of two databases change the role in the same moment, one of them tries again.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with connection.transaction():
                ReaderRole(connection, owner_url, settings).ensure()
        except psycopg.Error as error:
            if attempt == _ATTEMPTS or not _is_collision(error):
                raise
            pause(chance() * _LONGEST_PAUSE_S)
        else:
            return


def _own_tables_exist(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT pg_catalog.to_regclass('millrace.schema_migrations') IS NOT NULL"
    ).fetchone()
    return bool(row and row[0])


def _keep_owners_tables_out(connection: psycopg.Connection[Any]) -> None:
    """See that unqualified names of an owner called "millrace" mean `public`, as before.

    PostgreSQL's default search_path is "$user", public: since our schema is there, the tables
    that such an owner makes would land in it, where the reader must not look.
    """
    if connection.info.user != OWN_SCHEMA:
        return
    row = connection.execute(
        "SELECT setting FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS setting "
        "WHERE setdatabase = (SELECT oid FROM pg_catalog.pg_database "
        "WHERE datname = current_database()) "
        "AND setrole = current_user::regrole AND setting LIKE 'search_path=%'"
    ).fetchone()
    if row is None:
        connection.execute(
            sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET search_path = public").format(
                sql.Identifier(connection.info.dbname)
            )
        )


def _is_collision(error: psycopg.Error) -> bool:
    if isinstance(error, psycopg.errors.InternalError_):
        return "tuple concurrently" in str(error)
    return isinstance(
        error,
        psycopg.errors.UniqueViolation
        | psycopg.errors.DuplicateObject
        | psycopg.errors.DeadlockDetected,
    )


def _lock(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"SET lock_timeout = '{_LOCK_WAIT_S}s'; SET statement_timeout = 0")
    try:
        connection.execute("SELECT pg_catalog.pg_advisory_lock(%s)", [_LOCK])
    except psycopg.errors.LockNotAvailable as error:
        raise MigrationFailed(
            f"Another migration of this database has been running for {_LOCK_WAIT_S} s. "
            "Wait for it, or end its session (application_name 'millrace/migrate')."
        ) from error


def main() -> int:
    """Migrate DATABASE_URL's database; return the exit code."""
    logging.basicConfig(level=logging.WARNING)
    settings = DatabaseSettings()
    try:
        applied = migrate(settings.url, settings)
    except DatabaseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"applied: {', '.join(applied) if applied else 'nothing to do'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

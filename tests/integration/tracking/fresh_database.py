"""A migrated database for many tests, as if new for each: making one takes half a second."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from cli.embedded.postgres import EmbeddedPostgres
from db.migrate import migrate
from db.settings import DatabaseSettings

_EMPTY = """DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT format('%I', nspname) FROM pg_namespace
                 WHERE nspname !~ '^pg_|^information_schema$|^millrace' LOOP
        EXECUTE 'DROP SCHEMA ' || name || ' CASCADE';
    END LOOP;
    FOR name IN SELECT format('millrace.%I()', proname) FROM pg_proc
                 WHERE pronamespace = 'millrace'::regnamespace AND proname LIKE 'track\\_%' LOOP
        EXECUTE 'DROP FUNCTION ' || name || ' CASCADE';
    END LOOP;
END $$;
TRUNCATE millrace.accelerated_tables, millrace.table_changes, millrace.acceleration_orders CASCADE;
CREATE SCHEMA public;
"""


@contextmanager
def database(server: EmbeddedPostgres, name: str) -> Iterator[str]:
    """Make a migrated database and drop it on leaving; give its owner's URL."""
    name = f"{name}_{os.getpid()}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        migrate(server.url(name), DatabaseSettings(url=server.url(name)))
        yield server.url(name)
    finally:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def empty(url: str, tables: str) -> DatabaseSettings:
    """Remove all that tests made, then make `tables`, which the reader may read."""
    settings = DatabaseSettings(url=url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_EMPTY.encode())
        connection.execute(tables.encode())
    migrate(url, settings)  # the reader's rights
    return settings

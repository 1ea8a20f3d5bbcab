"""Questions to a pool of connections."""

import psycopg

from db.database import Database
from db.errors import DatabaseError

ROWS = 20_000
ALL = f"SELECT i, md5(i::text) FROM generate_series(1, {ROWS}) AS i"


def answers(database: Database) -> bool:
    """Tell whether PostgreSQL answers through the pool."""
    try:
        with database.connection() as connection:
            return connection.execute("SELECT 1").fetchall() == [("1",)]
    except (DatabaseError, psycopg.errors.QueryCanceled):
        return False


def ask(database: Database, sql: str = ALL) -> list[tuple[str | None, ...]]:
    """Return the rows of a query."""
    with database.connection() as connection:
        return connection.execute(sql).fetchall()

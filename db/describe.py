"""What PostgreSQL says of a statement's columns and parameters, without running it."""

from db.pool import Connection
from db.questions import Described, Description, ask


def describe(connection: Connection, sql: str) -> Described:
    """Let PostgreSQL parse one statement.  Raises psycopg.Error for what it refuses."""
    (described,) = ask(connection, Description(sql)).descriptions
    return described

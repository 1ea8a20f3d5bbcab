"""Tells databases apart whose segments lie in one folder."""

from db.pool import Connection

# The cluster's own number, and the database's in it: a dump restored elsewhere brings neither.
_IDENTITY = """SELECT c.system_identifier, d.oid FROM pg_control_system() c, pg_database d
 WHERE d.datname = current_database()"""


def database_identity(connection: Connection) -> str:
    """Return the first part of the names of this database's files."""
    row = connection.execute(_IDENTITY).fetchone()
    return "-".join(map(str, row or ()))

"""The key by which programs of one installation keep secrets from Redis."""

import psycopg

from db.database import Database
from db.errors import DatabaseError

_READ = "SELECT encode(value, 'hex') FROM millrace.secrets WHERE name = 'sealing key'"


class SealingKey:
    """Reads the key that the migration made, once; every program with DATABASE_URL has the same."""

    def __init__(self, own: Database) -> None:
        self._own = own
        self._known: bytes | None = None

    def get(self) -> bytes:
        """Return 32 bytes.  Raises DatabaseError when it cannot be read."""
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> bytes:
        try:
            with self._own.connection() as connection:
                row = connection.execute(_READ).fetchone()
        except psycopg.Error as error:
            raise DatabaseError("The sealing key cannot be read; migrate the database.") from error
        if row is None or row[0] is None:
            raise DatabaseError("The database has no sealing key; restore millrace.secrets.")
        return bytes.fromhex(row[0])

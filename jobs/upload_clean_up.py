"""Gives back what uploads take that were abandoned, deleted, or whose jobs are forgotten."""

from db.database import Database
from jobs import upload_sql

UPLOADS_AT_ONCE = 20
# of about 1 MiB: a statement that deletes them takes a fraction of a second
CHUNKS_AT_ONCE = 64
STATEMENTS_AT_ONCE = 8


class UploadCleanUp:
    """Small steps: none holds locks for long, and one that is cut short is taken up again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def step(self) -> int:
        """Forget what expired, and give back some of what is forgotten.

        Returns how many uploads are gone for good.  Raises db.errors.
        """
        with self._database.connection() as connection:
            most = [str(UPLOADS_AT_ONCE)]
            for row in connection.execute(upload_sql.EXPIRED, most).fetchall():
                with connection.transaction():
                    connection.execute(upload_sql.LOCK_TO_DELETE, row)
                    if connection.execute(upload_sql.STILL_EXPIRED, row).fetchone() is not None:
                        connection.execute(upload_sql.MARK_DELETED, row)
            gone = 0
            statements = 0
            for (upload_id,) in connection.execute(upload_sql.DELETED, most).fetchall():
                deleted = CHUNKS_AT_ONCE
                while deleted == CHUNKS_AT_ONCE:
                    if statements == STATEMENTS_AT_ONCE:
                        return gone
                    statements += 1
                    values = [upload_id, str(CHUNKS_AT_ONCE)]
                    deleted = len(connection.execute(upload_sql.DELETE_CHUNKS, values).fetchall())
                connection.execute(upload_sql.DELETE, [upload_id])
                gone += 1
        return gone

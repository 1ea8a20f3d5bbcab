"""Forgets finished jobs whose time is over, and idempotency keys that were kept long enough."""

from db.database import Database
from jobs import job_sql

JOBS_AT_ONCE = 20


class CleanUp:
    """Small steps: none holds locks for long, and one that is cut short is taken up again.

    Tables of a kind that refer to `millrace.jobs` with ON DELETE CASCADE are cleaned with it.
    """

    def __init__(self, database: Database, *, key_retention_s: float) -> None:
        self._database = database
        self._key_retention_s = key_retention_s

    def step(self) -> int:
        """Forget some; return how many jobs.  Raises db.errors."""
        forgotten = 0
        with self._database.connection() as connection:
            connection.execute(job_sql.FORGET_KEYS, [str(self._key_retention_s)])
            expired = connection.execute(job_sql.EXPIRED, [str(JOBS_AT_ONCE)]).fetchall()
            for row in expired:
                # replayed in between, it is expired no more, and each statement asks for that
                while connection.execute(job_sql.DELETE_TASKS, row).fetchone() is not None:
                    pass
                forgotten += len(connection.execute(job_sql.DELETE, row).fetchall())
        return forgotten

"""Forgets finished jobs whose time is over, and idempotency keys that were kept long enough."""

from db.database import Database
from db.pool import Connection
from jobs import job_sql

JOBS_AT_ONCE = 20
STATEMENTS_AT_ONCE = 8  # a round of the reconciler has more to do


class CleanUp:
    """Small steps: none holds locks for long, and one that is cut short is taken up again.

    Tables of a kind that refer to `millrace.jobs` with ON DELETE CASCADE are cleaned with it.
    """

    def __init__(self, database: Database, *, key_retention_s: float) -> None:
        self._database = database
        self._key_retention_s = key_retention_s

    def step(self) -> int:
        """Forget some; return how many jobs are gone for good.  Raises db.errors."""
        with self._database.connection() as connection:
            connection.execute(job_sql.FORGET_KEYS, [str(self._key_retention_s)])
            expired = connection.execute(job_sql.EXPIRED, [str(JOBS_AT_ONCE)]).fetchall()
            statements = STATEMENTS_AT_ONCE
            for forgotten, (job_id,) in enumerate(expired):
                statements = _empty(connection, job_id or "", statements)
                if statements == 0:
                    return forgotten
                connection.execute(job_sql.DELETE, [job_id])
        return len(expired)


def _empty(connection: Connection, job_id: str, statements: int) -> int:
    """Delete what a job has left; return how many of so many statements are left, 0: not all."""
    for delete, most in job_sql.DELETE_OF_JOB:
        # replayed in between, it is expired no more, and each statement asks for that
        values = [job_id, str(most)]
        while len(connection.execute(delete.encode(), values).fetchall()) == most:
            statements -= 1
            if statements == 0:
                return 0
    return statements

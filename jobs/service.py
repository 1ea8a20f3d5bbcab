"""The replica's side of the ledger: accepts jobs, shows them, and tells them what to do."""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from db.database import Database
from db.pool import Connection
from jobs import event_sql, job_sql
from jobs.context import LogLevel
from jobs.dead_letters import DeadLetterFilter, DeadLetters
from jobs.errors import KeyInUse, KeyReused, NotPossible, TooManyJobs
from jobs.event import EventName, JobEvent, NewEvent, append, at_least, position
from jobs.kind import PLAN
from jobs.record import Job, NewJob, digest_of
from jobs.settings import JobSettings
from jobs.states import JobState, TaskState
from jobs.task_record import TaskRecord
from tasks.bell import Bell


def new_job_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(12)


class Jobs:
    """Every method raises db.errors when PostgreSQL is away; none needs Redis."""

    def __init__(
        self,
        database: Database,
        bell: Bell,
        settings: JobSettings,
        new_id: Callable[[], str] = new_job_id,
    ) -> None:
        self._database = database
        self._bell = bell
        self._settings = settings
        self._new_id = new_id
        self.dead_letters = DeadLetters(database)

    def create(self, job: NewJob) -> tuple[str, bool]:
        """Accept a job; return its id, and whether it is new: False if its key was used before.

        Once this returns, the job is not lost.  Raises KeyInUse, KeyReused, TooManyJobs.
        """
        with self._database.connection() as connection:
            job_id, is_new = self.create_in(connection, job)
        if is_new:
            self._bell.ring(1)
        return job_id, is_new

    def create_in(self, connection: Connection, job: NewJob) -> tuple[str, bool]:
        """Accept a job as part of the caller's transaction; as `create`, but no worker is called.

        A worker finds it within a second or so, unless the caller calls `wake` after its commit.
        Until then another job with the same key raises KeyInUse.
        """
        job_id = self._new_id()
        digest = digest_of(job.text())
        is_free, inserted = connection.execute(
            job_sql.INSERT.encode(),
            [
                job_id, job.kind, json.dumps(job.parameters), str(job.priority),
                job.idempotency_key, digest, str(self._settings.max_unfinished), PLAN,
                str(job.attempts), json.dumps(job.origin) if job.origin else None,
            ],
        ).fetchone() or (None, None)  # fmt: skip
        if is_free != "t":
            raise KeyInUse("A request with this idempotency key is being worked on; try again.")
        if inserted is not None:
            return job_id, True
        # the same key came before, by whatever way, or there is no room
        known = connection.execute(job_sql.BY_KEY, [job.idempotency_key]).fetchone()
        if known is None:
            most = self._settings.max_unfinished
            raise TooManyJobs(f"{most} jobs are unfinished already; try again later.")
        if known[1] != digest:
            raise KeyReused("This idempotency key was used for another request; take a new one.")
        return known[0] or "", False

    def wake(self, tasks: int = 1) -> None:
        """Call idle workers; does nothing while Redis is away."""
        self._bell.ring(tasks)

    def of_key_in(self, connection: Connection, key: str) -> tuple[str, str] | None:
        """Return the id of the job that an idempotency key made, and the digest of its request."""
        row = connection.execute(job_sql.BY_KEY, [key]).fetchone()
        return None if row is None else (row[0] or "", row[1] or "")

    def find(self, job_id: str) -> Job | None:
        """Return the job; None if there is none, or no more."""
        with self._database.connection() as connection:
            row = connection.execute(job_sql.FIND.encode(), [job_id]).fetchone()
        return None if row is None else Job.read(row)

    def list(
        self,
        *,
        limit: int,
        after: tuple[str, str] | None = None,
        state: JobState | None = None,
        kind: str | None = None,
    ) -> list[Job]:
        """Return at most `limit` jobs, newest first.

        `after`: `created_at` and id of the last one seen, which may be gone by now.
        """
        values = [state, kind, *(after or (None, None)), str(limit)]
        with self._database.connection() as connection:
            rows = connection.execute(job_sql.LIST.encode(), values).fetchall()
        return [Job.read(row) for row in rows]

    def tasks(
        self,
        job_id: str,
        *,
        limit: int,
        after: int | None = None,
        state: TaskState | None = None,
    ) -> Sequence[TaskRecord]:
        """Return at most `limit` of its tasks by number, from behind the number `after` on."""
        last = None if after is None else str(after)
        with self._database.connection() as connection:
            rows = connection.execute(
                job_sql.TASKS.encode(), [job_id, state, last, str(limit)]
            ).fetchall()
        return [TaskRecord.read(row) for row in rows]

    def events(
        self,
        job_id: str,
        *,
        limit: int,
        after: str | None = None,
        task: int | None = None,
        level: LogLevel | None = None,
    ) -> Sequence[JobEvent]:
        """Return at most `limit` of its events in their order, from behind the id `after` on.

        Who asks again with the id of the last one misses none and sees none twice.  `task`: of
        that task alone; `level`: of that level and those above.  Raises CursorMalformed.
        """
        number = None if task is None else str(task)
        values = [job_id, position(after), number, at_least(level), str(limit)]
        with self._database.connection() as connection:
            rows = connection.execute(event_sql.READ, values).fetchall()
        return [JobEvent.read(row) for row in rows]

    def cancel(self, job_id: str) -> JobState | None:
        """End a job that is not finished; return its state now, None if there is no such job.

        What has not begun never will; what runs is told within a renewal, and its effects do not
        happen.  What is done stays done.
        """
        retention = str(self._settings.retention_s)
        return self._change(
            "cancelled", job_id, job_sql.CANCEL, [job_id, retention], job_sql.CANCEL_TASKS
        )

    def forget(self, job_id: str) -> bool:
        """Forget a finished job with all it left, and its key; False if it is none.

        Nobody finds it any more; a worker deletes it by and by.
        """
        with self._database.connection() as connection:
            return connection.execute(job_sql.FORGET.encode(), [job_id]).fetchone() is not None

    def pause(self, job_id: str) -> JobState | None:
        """Begin no further task of an unfinished job; return its state now, None if unknown."""
        return self._change("paused", job_id, job_sql.PAUSE, [job_id], job_sql.HOLD_TASKS)

    def resume(self, job_id: str) -> JobState | None:
        """Go on with a paused job; return its state now, None if unknown."""
        state = self._change("resumed", job_id, job_sql.RESUME, [job_id], job_sql.LET_TASKS_GO)
        self._bell.ring(1)
        return state

    def retry(self, job_id: str) -> int:
        """Run again what failed of a job, and what was held therefore; return how many failed.

        Raises NotPossible for a cancelled job.
        """
        job = self.find(job_id)
        if job is not None and job.state == "cancelled":
            raise NotPossible("A cancelled job is not tried again; make a new one.", job.state)
        return self.replay(DeadLetterFilter(job_id=job_id))

    def replay(self, chosen: DeadLetterFilter, *, over_s: float = 0.0) -> int:
        """Replay dead letters (see DeadLetters.replay) and call workers; return how many."""
        replayed = self.dead_letters.replay(chosen, over_s=over_s)
        if replayed:
            self._bell.ring(replayed)
        return replayed

    def _change(
        self,
        event: EventName,
        job_id: str,
        change: str,
        values: Sequence[str],
        change_tasks: str,
    ) -> JobState | None:
        with self._transaction() as connection:
            if connection.execute(job_sql.LOCK, [job_id]).fetchone() is None:
                return None
            if connection.execute(change.encode(), values).fetchone() is not None:
                connection.execute(change_tasks.encode(), [job_id])
                append(connection, [NewEvent(job_id, event)])
        job = self.find(job_id)
        return None if job is None else job.state

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._database.connection() as connection, connection.transaction():
            yield connection

"""The worker's side of the ledger: claims tasks, and commits what became of them."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

from db.database import Database
from db.errors import DatabaseError
from db.pool import Connection, Row
from jobs import job_sql, task_sql
from jobs.causes import cause_of
from jobs.context import LogLevel
from jobs.errors import Lost
from jobs.event import EventName, NewEvent, append, as_json
from jobs.event_sql import LONGEST_MESSAGE
from jobs.kind import PLAN, Done, Kind
from jobs.record import NewTask, TaskClaim
from jobs.states import TaskState

LONGEST_ERROR = 10_000

# Every statement here touches few rows by an index, in its order; but the tasks of a new job are
# not in the statistics before autovacuum has looked, and until then the planner would rather sort
# all of them for each claim: 1.4 ms of 3,000, and in proportion of more.
POINT_QUERIES = {"enable_sort": "off", "enable_bitmapscan": "off", "enable_seqscan": "off"}


def worker_session(lease_s: float) -> dict[str, str]:
    """Return the server settings for connections of workers to our own tables.

    A worker that freezes within a transaction holds locks: of its task, which by then is another
    worker's to run, and perhaps of its job.  So PostgreSQL ends the transaction after the lease.
    """
    timeout_ms = max(1, round(lease_s * 1000))
    return {**POINT_QUERIES, "idle_in_transaction_session_timeout": str(timeout_ms)}


@dataclass(frozen=True)
class Failure:
    """An attempt that ended early: why, and the seconds until the next one; None: never."""

    error_class: str
    error: str
    pause_s: float | None


@dataclass(frozen=True)
class Renewal:
    """Keys of the claims that are still held, and the events that are to be given again."""

    held: AbstractSet[tuple[str, int, int]]
    waiting: Sequence[NewEvent]


class Ledger:
    """Every method is one transaction, and raises db.errors when PostgreSQL is away.

    `retention_s`: how long a finished job is kept.
    """

    def __init__(
        self,
        database: Database,
        *,
        lease_s: float,
        retention_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._lease_s = lease_s
        self._retention_s = retention_s
        self._clock = clock
        self._failed_at: float | None = None

    @property
    def was_away(self) -> bool:
        """Whether it could not be asked or written within the last lease, by anybody here."""
        return self._failed_at is not None and self._clock() - self._failed_at < self._lease_s

    def answers(self) -> bool:
        """Ask whether PostgreSQL is there now, and takes writes."""
        try:
            return self._run("SELECT current_setting('transaction_read_only')", []) == [("off",)]
        except DatabaseError:
            return False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection to the ledger's database, and remember if that fails.

        Raises db.errors.
        """
        try:
            with self._database.connection() as connection:
                yield connection
        except DatabaseError:
            self._failed_at = self._clock()
            raise

    def claim(self, kinds: Iterable[str], worker: str) -> TaskClaim | None:
        """Take the task of these kinds whose turn it is, for as long as a lease lasts."""
        values = [",".join(kinds), worker, str(self._lease_s)]
        with self.connection() as connection:
            row = connection.execute(task_sql.CLAIM.encode(), values).fetchone()
            if row is None:
                return None
            claim = TaskClaim.read(row)
            if claim.job_state == "queued":
                connection.execute(job_sql.STARTED.encode(), [claim.job_id])
        return claim

    def renew(
        self, claims: Iterable[tuple[TaskClaim, int, int]], events: Sequence[NewEvent] = ()
    ) -> Renewal:
        """Renew the leases of claims, each with its rows and bytes so far, and write events.

        All in one round trip.  No job is waited for: events that could not be written, since
        somebody else just wrote some of that job, are to be given again.
        """
        keys = json.dumps([[*claim.key, rows, size] for claim, rows, size in claims])
        rows = self._run(task_sql.RENEW, [keys, str(self._lease_s), as_json(events)])
        waiting = {job_id for held, job_id, _, _ in rows if held != "t"}
        return Renewal(
            {
                (job_id or "", int(number or 0), int(token or 0))
                for held, job_id, number, token in rows
                if held == "t"
            },
            [event for event in events if event.job_id in waiting],
        )

    def done(
        self,
        claim: TaskClaim,
        done: Done,
        kind: Kind,
        attempts: int,
        events: Sequence[NewEvent] = (),
    ) -> None:
        """Commit what a task leaves behind, and that it is done, in one transaction.

        `attempts` are those of the tasks it adds, `events` what it had still to say.  Raises Lost,
        and then nothing of it happened.
        """
        expects = done.expected_rows is not None or done.expected_bytes is not None
        changes_job = bool(done.adds) or expects or claim.name == PLAN
        with ExitStack() as stack:
            # not noted as an outage if it fails: the task's own effects may be what breaks it
            connection = stack.enter_context(self._database.connection())
            if changes_job or events or done.effects is not None:
                stack.enter_context(connection.transaction())
            # else its mark is all: a transaction by itself, in one round trip
            if changes_job:
                connection.execute(job_sql.LOCK, [claim.job_id])
            mark = connection.execute(
                task_sql.DONE.encode(),
                [*_holder(claim), str(done.rows), str(done.bytes), done.result],
            )
            if mark.fetchone() is None:
                raise Lost(f"task {claim.number} of job {claim.job_id} is somebody else's")
            if done.effects is not None:
                done.effects(connection)
            if done.adds:
                add_tasks(connection, claim.job_id, done.adds, attempts)
            if changes_job:
                connection.execute(
                    job_sql.EXPECT.encode(),
                    [
                        claim.job_id,
                        str(kind.tolerates_dead_letters),
                        _number(done.expected_rows),
                        _number(done.expected_bytes),
                    ],
                )
            append(connection, events)

    def failed(
        self,
        claim: TaskClaim,
        failure: Failure,
        events: Sequence[NewEvent] = (),
        *,
        only_if_lapsed: bool = False,
    ) -> TaskState | None:
        """Note a failed attempt, and what it had still to say.

        Return the task's new state; None if it was somebody else's, and then nothing is noted.  A
        dead letter fails its job, unless that tolerates it: what has not begun is held then.
        """
        is_dead = failure.pause_s is None
        error = failure.error[:LONGEST_ERROR].replace("\0", "")
        cause = cause_of(failure.error_class, error)
        values = [failure.error_class, error, cause, str(failure.pause_s or 0.0)]
        with self._transaction() as connection:
            connection.execute(job_sql.LOCK, [claim.job_id])
            row = connection.execute(
                task_sql.FAIL.encode(),
                [*_holder(claim), *values, str(is_dead), str(only_if_lapsed)],
            ).fetchone()
            if row is None:
                return None
            state, tolerates = row
            told = [*events, _event_of(claim, failure, lapsed=only_if_lapsed)]
            if is_dead and tolerates != "t":
                values = [claim.job_id, failure.error_class, error, str(self._retention_s)]
                if connection.execute(job_sql.FAIL.encode(), values).fetchone() is not None:
                    message = f"{failure.error_class}: {error}"
                    told.append(NewEvent(claim.job_id, "failed", "error", message))
                connection.execute(job_sql.HOLD_TASKS, [claim.job_id])
            append(connection, told)
        return cast("TaskState", state)

    def release(
        self, claim: TaskClaim, outage: Failure | None = None, events: Sequence[NewEvent] = ()
    ) -> bool:
        """Let another worker run it; this attempt does not count.

        At once, or after an outage that ended the attempt, after its pause.  `events` are what it
        had still to say.  False if it was somebody else's, and then nothing is noted.
        """
        pause_s = 0.0 if outage is None else outage.pause_s or 0.0
        values = [*_holder(claim), str(pause_s), str(int(outage is not None))]
        with self._transaction() as connection:
            connection.execute(job_sql.LOCK, [claim.job_id])
            if connection.execute(task_sql.RELEASE.encode(), values).fetchone() is None:
                return False
            append(connection, [*events, _release_of(claim, outage)])
        return True

    def settle(self, job_id: str) -> bool:
        """Finish the job if nothing of it is left to do; True if its last task may run now.

        To be called after the end of each task, by whoever ended it.
        """
        with self.connection() as connection:
            if connection.execute(job_sql.IS_OVER.encode(), [job_id]).fetchone() != ("t",):
                return False
            with connection.transaction():
                # asked again behind the lock: a dead letter may have been replayed in between
                connection.execute(job_sql.LOCK, [job_id])
                if connection.execute(job_sql.IS_OVER.encode(), [job_id]).fetchone() != ("t",):
                    return False
                if connection.execute(job_sql.LET_LAST_GO, [job_id]).fetchone() is not None:
                    return True
                connection.execute(job_sql.FINISH.encode(), [job_id, str(self._retention_s)])
        return False

    def over(self) -> list[str]:
        """Return ids of jobs that nobody has settled, since who should have, died."""
        return [job_id or "" for (job_id,) in self._run(job_sql.ALL_OVER, [])]

    def lapsed(self, most: int) -> list[tuple[TaskClaim, str]]:
        """Return claims whose lease has lapsed, and the worker of each."""
        rows = self._run(task_sql.LAPSED, [str(most)])
        return [(TaskClaim.read(row), worker or "") for worker, *row in rows]

    def count_due(self, most: int) -> int:
        """Return how many tasks could be claimed now, counting to `most`."""
        return int(self._run(task_sql.COUNT_DUE, [str(most)])[0][0] or 0)

    def _run(self, sql: str, values: Sequence[str | None]) -> list[Row]:
        with self.connection() as connection:
            return connection.execute(sql.encode(), values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self.connection() as connection, connection.transaction():
            yield connection


def add_tasks(connection: Connection, job_id: str, tasks: Sequence[NewTask], attempts: int) -> None:
    """Add tasks to a job whose row this transaction has locked or made.

    Each is given up after so many `attempts`.
    """
    # parameters as text within: as a part of the JSON they could not hold U+0000
    given = json.dumps([[task.name, json.dumps(task.parameters), task.is_last] for task in tasks])
    connection.execute(task_sql.ADD, [job_id, given, str(attempts)])


def _event_of(claim: TaskClaim, failure: Failure, *, lapsed: bool) -> NewEvent:
    message = f"{failure.error_class}: {failure.error}"[: LONGEST_MESSAGE - 100]
    if failure.pause_s is None:
        return _of_task(claim, "dead_letter", "error", message)
    message += f" (next attempt in {failure.pause_s:.3g} s)"
    return _of_task(claim, "lease_lapsed" if lapsed else "failed_attempt", "warning", message)


def _release_of(claim: TaskClaim, outage: Failure | None) -> NewEvent:
    if outage is None:
        return _of_task(claim, "handed_on", "debug", "")
    message = f"{outage.error_class}: {outage.error}"[: LONGEST_MESSAGE - 100]
    message += f" (not counted; again in {outage.pause_s:.3g} s)"
    return _of_task(claim, "outage", "warning", message)


def _of_task(claim: TaskClaim, event: EventName, level: LogLevel, message: str) -> NewEvent:
    return NewEvent(claim.job_id, event, level, message, claim.number, claim.attempt)


def _holder(claim: TaskClaim) -> list[str]:
    return [claim.job_id, str(claim.number), str(claim.token)]


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)

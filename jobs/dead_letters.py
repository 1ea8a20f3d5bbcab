"""Tasks that were given up: looked at, grouped by cause, and replayed."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from db.database import Database
from db.pool import Row
from jobs import dead_letter_sql
from jobs.event import NewEvent, append
from jobs.record import DeadLetter

JOBS_AT_ONCE = 500


@dataclass(frozen=True)
class DeadLetterFilter:
    """Which dead letters are meant; what is None does not matter."""

    kind: str | None = None
    error_class: str | None = None
    cause: str | None = None
    job_id: str | None = None
    number: int | None = None

    def values(self) -> list[str | None]:
        """Return the parameters of the statements' filter."""
        number = None if self.number is None else str(self.number)
        return [self.kind, self.error_class, self.cause, self.job_id, number]


@dataclass(frozen=True)
class Cluster:
    """Dead letters with one cause: how many, of how many jobs, when (ISO 8601), and one error."""

    kind: str
    error_class: str
    cause: str
    count: int
    jobs: int
    first_at: str
    last_at: str
    example: str


class DeadLetters:
    """Every method raises db.errors when PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        chosen: DeadLetterFilter,
        *,
        limit: int,
        after: tuple[str, int] | None = None,
    ) -> list[DeadLetter]:
        """Return at most `limit`, by job and number, from behind `after` on."""
        job_id, number = (after[0], str(after[1])) if after else (None, None)
        values = [*chosen.values(), job_id, number, str(limit)]
        return [DeadLetter.read(row) for row in self._run(dead_letter_sql.LIST, values)]

    def clusters(self, chosen: DeadLetterFilter) -> list[Cluster]:
        """Return what `replay` would replay, by cause, the most frequent first."""
        return [
            Cluster(
                kind or "", error_class or "", cause or "", int(count or 0), int(jobs or 0),
                first_at or "", last_at or "", example or "",
            )
            for kind, error_class, cause, count, jobs, first_at, last_at, example in self._run(
                dead_letter_sql.CLUSTERS, chosen.values()
            )
        ]  # fmt: skip

    def replay(self, chosen: DeadLetterFilter, *, over_s: float = 0.0) -> int:
        """Make them ready again, with all their attempts; return how many.

        They fall due evenly over `over_s` seconds, so that a thousand of them do not meet a
        service that has just recovered in the same moment.  Their jobs run again, with what else
        had been held when they failed.  Cancelled jobs stay as they are.
        """
        replayed = 0
        while count := self._replay_some(chosen, over_s):
            replayed += count
        return replayed

    def _replay_some(self, chosen: DeadLetterFilter, over_s: float) -> int:
        values = chosen.values()
        with self._database.connection() as connection, connection.transaction():
            locked = connection.execute(
                dead_letter_sql.LOCK_JOBS.encode(), [*values, str(JOBS_AT_ONCE)]
            ).fetchall()
            jobs = json.dumps([job_id for (job_id,) in locked])
            replayed = connection.execute(
                dead_letter_sql.REPLAY.encode(), [*values, jobs, str(over_s)]
            ).fetchall()
            counts = Counter(job_id or "" for (job_id,) in replayed)
            concerned = [json.dumps(sorted(counts))]
            connection.execute(dead_letter_sql.LET_TASKS_GO.encode(), concerned)
            connection.execute(dead_letter_sql.HOLD_LAST.encode(), concerned)
            connection.execute(dead_letter_sql.BRING_BACK, concerned)
            append(
                connection,
                [
                    NewEvent(job_id, "retried", message=f"dead letters replayed: {count}")
                    for job_id, count in counts.items()
                ],
            )
        return len(replayed)

    def _run(self, sql: str, values: Sequence[str | None]) -> list[Row]:
        with self._database.connection() as connection:
            return connection.execute(sql.encode(), values).fetchall()

"""What is there in the end: asked of PostgreSQL itself, past all that was tested."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from cli.drill.actions.hashes import STORED
from cli.drill.event import Attempt, Tally
from cli.drill.history import History
from cli.drill.promises import Promises

CONNECT_LIMIT_S = 5
_JOBS = "SELECT id, idempotency_key, state, error FROM millrace.jobs WHERE idempotency_key LIKE %s"
_LATER = (
    "SELECT id, idempotency_key, state, problem::text FROM millrace.async_queries "
    "WHERE idempotency_key LIKE %s"
)
_DIGESTS = (
    "SELECT encode(digest, 'hex'), count FROM millrace.digests WHERE algorithm = %s "
    "AND digest = ANY (SELECT decode(wanted, 'hex') FROM unnest(%s::text[]) AS wanted)"
)
FINISHED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Found:
    """A job or asynchronous query of the drill, as PostgreSQL has it."""

    id: str
    key: str
    state: str
    error: str | None


@dataclass(frozen=True)
class Census:
    """Everything durable that the drill has left."""

    jobs: Sequence[Found]
    later: Sequence[Found]

    @property
    def unfinished(self) -> int:
        """How many have not come to their end."""
        return sum(one.state not in FINISHED for one in (*self.jobs, *self.later))

    @property
    def failed_jobs(self) -> Sequence[Found]:
        """Jobs that were given up: their dead letters wait for somebody."""
        return [one for one in self.jobs if one.state == "failed"]


def take_census(database_url: str, prefix: str) -> Census:
    """Look at all jobs and asynchronous queries of the drill.  Raises psycopg.Error."""
    with psycopg.connect(database_url, connect_timeout=CONNECT_LIMIT_S) as connection:
        pattern = [prefix.replace("_", r"\_") + "-%"]
        jobs = [Found(*row) for row in connection.execute(_JOBS, pattern)]
        later = [Found(*row) for row in connection.execute(_LATER, pattern)]
    return Census(jobs, later)


def note_census(census: Census, promises: Promises, history: History) -> None:
    """Write down how often each promised thing is there and done.

    Where two stand for one key, both count.  What failed or is unfinished is not there: somebody
    was told that it will be.
    """
    done = Counter(one.key for one in (*census.jobs, *census.later) if one.state == "done")
    now = history.now()
    for promise in promises.asked():
        tally = Tally(promise.key, done[promise.key])
        history.add("found", now, now, "ok", tally, source="drill")


def note_digests(database_url: str, history: History) -> None:
    """Write down how often each digest that was to be stored has been.  Raises psycopg.Error."""
    effects = {
        event.value.effect
        for event in history.events()
        if isinstance(event.value, Attempt) and event.value.effect.startswith(f"{STORED}:")
    }
    digests = [effect.partition(":")[2] for effect in sorted(effects)]
    with psycopg.connect(database_url, connect_timeout=CONNECT_LIMIT_S) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(_DIGESTS, [STORED, digests]).fetchall()
    counts = {str(digest): int(count) for digest, count in rows}
    now = history.now()
    for digest in digests:
        tally = Tally(f"{STORED}:{digest}", counts.get(digest, 0))
        history.add("found", now, now, "ok", tally, source="drill")

"""Runs a generated query through the service and, in the same snapshot, by plain PostgreSQL."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psycopg

from app.queries.request import QueryInput
from app.queries.sql_error import SqlError
from db.database import Database
from db.pool import Connection
from query.errors import QueryError
from tests.oracle.comparison import Outcome, difference
from tests.oracle.generator import GeneratedQuery, Generator
from tests.oracle.world import World

TIMEOUT_S = 60.0
MAX_ROWS = 10_000
PARTS = 4
VACUUM_EVERY = 250
TRIES = 50


@dataclass(frozen=True)
class Verdict:
    """How one query came out; `difference` None: as PostgreSQL says."""

    query: GeneratedQuery
    ours: Outcome
    theirs: Outcome
    difference: str | None

    def __str__(self) -> str:
        """Return all that is needed to look into it."""
        return (
            f"seed {self.query.seed}: {self.difference}\n  {self.query.sql}\n"
            f"  params {list(self.query.params)}, {self.ours.mode}: {self.ours.reason}\n"
            f"  ours   {_shown(self.ours)}\n  theirs {_shown(self.theirs)}"
        )


@dataclass
class Tally:
    """Queries, those that split, and those that failed alike, in all and by feature."""

    queries: Counter[str] = field(default_factory=Counter)
    split: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    mismatches: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Count one."""
        is_split = verdict.ours.mode == "partitioned"
        self.failed += verdict.theirs.sqlstate is not None
        for feature in ("all", *verdict.query.features):
            self.queries[feature] += 1
            self.split[feature] += is_split
        if verdict.difference is not None:
            self.mismatches.append(verdict)

    def merge(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.queries += other.queries
        self.split += other.split
        self.failed += other.failed
        self.mismatches += other.mismatches

    def share(self, feature: str) -> float:
        """Return the share of the queries with `feature` that split."""
        return self.split[feature] / max(1, self.queries[feature])


class Runner:
    """Runs queries in one world.

    Its own transaction begins before the service's, and nobody but the writer commits, which
    does so while fragments run: both transactions see the same snapshot, which is checked.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0

    def seed(self, seed: int) -> Verdict:
        """Run the query of `seed`."""
        return self.query(Generator(seed).query())

    def query(self, query: GeneratedQuery) -> Verdict:
        """Run `query` both ways; again, should a stranger commit on the server in between.

        Autovacuum does so some dozens of times in a row.
        """
        for _ in range(TRIES):
            verdict = self._both_ways(query)
            if not (verdict.difference or "").startswith("snapshot"):
                break
        return verdict

    def _both_ways(self, query: GeneratedQuery) -> Verdict:
        self._count += 1
        if self._count % VACUUM_EVERY == 0:
            self._world.owner.execute(b"VACUUM ANALYZE")
        writer = self._world.writer
        with self._world.oracle.connection() as connection, _snapshot(connection) as snapshot:
            writer.prepare(query.sql, query.seed)
            try:
                ours = self._ask(query.sql, query.params)
                theirs = execute(connection, query.sql, query.params)
            finally:
                writer.settle()
        found = difference(ours, theirs, query.order, query.sql)
        if found is None and ours.snapshot not in ("", snapshot):
            found = f"snapshot: {ours.snapshot}, not {snapshot}"
        return Verdict(query, ours, theirs, found)

    def answer(self, sql: str, params: Sequence[str | None] = ()) -> Outcome:
        """Run `sql` through the service alone."""
        return self._ask(sql, params)

    def _ask(self, sql: str, params: Sequence[str | None]) -> Outcome:
        try:
            # asked for a number of parts, it splits whatever it can, however little that is worth
            query = QueryInput(sql, tuple(params), TIMEOUT_S, MAX_ROWS, partitions=PARTS)
            answer = self._world.service.run(query)
        except SqlError as error:
            return Outcome(sqlstate=error.sqlstate, message=error.message)
        except QueryError as error:
            return Outcome(sqlstate=error.code, message=str(error))
        return Outcome(
            tuple((column.name, column.oid, column.typmod) for column in answer.columns),
            tuple(answer.rows), mode=answer.mode, reason=answer.reason, snapshot=answer.snapshot,
        )  # fmt: skip


@contextlib.contextmanager
def _snapshot(connection: Connection) -> Iterator[str]:
    """Begin a transaction, and take its snapshot now."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    row = connection.execute("SELECT pg_current_snapshot()").fetchone()
    yield str(row[0]) if row else ""


def execute(connection: Connection, sql: str, params: Sequence[str | None]) -> Outcome:
    """Run a query by plain PostgreSQL, in the connection's transaction."""
    cursor = connection.cursor()
    try:
        cursor.execute(sql.encode(), params)
    except psycopg.Error as error:
        return Outcome(sqlstate=error.sqlstate, message=str(error).partition("\n")[0])
    result = cursor.pgresult
    assert result is not None
    columns = tuple(
        ((result.fname(i) or b"").decode(), result.ftype(i), result.fmod(i))
        for i in range(result.nfields)
    )
    return Outcome(columns, tuple(cursor.fetchmany(MAX_ROWS)), tuple(cursor.fetchall()))


def _shown(outcome: Outcome) -> str:
    if outcome.sqlstate is not None:
        return f"error {outcome.sqlstate}: {outcome.message}"
    rows = ", ".join(map(str, outcome.rows[:5]))
    return f"{len(outcome.rows)} rows: {rows[:600]}"


def oracle_rows(database: Database, sql: str) -> list[tuple[str | None, ...]]:
    """Return the rows of `sql` by plain PostgreSQL."""
    with database.connection() as connection:
        return connection.execute(sql.encode()).fetchall()

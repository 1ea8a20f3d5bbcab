"""Queries by chance: each fragment by both engines, and the merge of columnar fragments.

Without a pytest around it, as a campaign of any length:

    python -m tests.columnar --seeds 0-100000
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from app.queries.errors import RunWhole
from app.queries.sql_error import SqlError
from columnar.engine import ColumnarEngine
from columnar.errors import ColumnarError
from query.aggregates import CannotSplit
from query.canonical import chosen
from query.columnar.errors import NotColumnar
from query.errors import QueryError
from tests.columnar.narrow import narrowed
from tests.columnar.planned import ColumnarPlan, Runs, counted, plan
from tests.columnar.segments import facts_of, write_table
from tests.oracle.generator import GeneratedQuery, Generator
from tests.oracle.world import World

TABLES = ("t", "s", "skew", "nully", "empty", "one", "shrunk", "parted", "parent", "kept")
PARTS = 2
GROUP_ROWS = 100


@dataclass
class Tally:
    """How queries came out; `entries` counts the entries of the list in those compared."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    mismatches: list[str] = field(default_factory=list)


class Campaign:
    """Compares queries over the oracle's tables, which nobody changes meanwhile."""

    def __init__(self, world: World, runs: Runs) -> None:
        self._world = world
        self._runs = runs
        self._facts = facts_of(world.owner, *TABLES)
        self.tally = Tally()

    def seed(self, seed: int) -> None:
        """Compare the query of a seed: every fourth is of any form, others are kept to the list."""
        with nullcontext() if seed % 4 == 0 else narrowed():
            query = Generator(seed).query()
        try:
            planned = plan(
                self._runs.database, self._world.service, self._facts, query.sql, query.params
            )
        except NotColumnar as error:
            self.tally.reasons[error.why[:60]] += 1
            self.tally.outcomes["refused"] += 1
        except (CannotSplit, RunWhole):
            self.tally.outcomes["no fragments"] += 1
        except (QueryError, SqlError, psycopg.Error):
            self.tally.outcomes["wrong for PostgreSQL"] += 1
        else:
            outcome = self._compare(query, planned)
            self.tally.outcomes[outcome] += 1

    def _compare(self, query: GeneratedQuery, planned: ColumnarPlan) -> str:
        ways = [replace(self._runs, is_fetching=is_fetching) for is_fetching in (False, True)]
        one, other = ways if query.seed % 2 else reversed(ways)
        try:
            ours = one.columnar(planned.columnar)
            merged = other.merged(planned)
        except ColumnarError as error:
            self.tally.reasons[f"DuckDB: {str(error)[:60]}"] += 1
            return "left to PostgreSQL"
        except psycopg.Error:
            return "left to PostgreSQL"  # the merge failed, which makes it run whole
        self.tally.entries.update(planned.columnar.entries)
        try:
            fragment = self._runs.postgres(planned.whole.sql, chosen(planned.whole, query.params))
            whole = self._runs.postgres(query.sql, query.params)
        except psycopg.Error as error:
            self._differs(query, planned, f"PostgreSQL raises {error.sqlstate}")
            return "compared"
        if counted(ours) != counted(fragment):
            less, more = counted(fragment) - counted(ours), counted(ours) - counted(fragment)
            self._differs(query, planned, f"fragment: {_some(more)} instead of {_some(less)}")
        elif merged is not None and counted(merged) != counted(whole):
            less, more = counted(whole) - counted(merged), counted(merged) - counted(whole)
            self._differs(query, planned, f"merged: {_some(more)} instead of {_some(less)}")
        return "compared"

    def _differs(self, query: GeneratedQuery, planned: ColumnarPlan, how: str) -> None:
        self.tally.mismatches.append(
            f"seed {query.seed}: {how}\n{query.sql}\n{query.params}\n{planned.columnar.sql}"
        )


def _some(rows: Counter[tuple[str | None, ...]]) -> str:
    return str(list(rows.items())[:3])


@contextmanager
def campaign(world: World, folder: Path, engine: ColumnarEngine) -> Iterator[Campaign]:
    """Write the tables of the oracle's world to `folder`, where `engine` may read."""
    facts = facts_of(world.owner, *TABLES)
    files = {
        name: write_table(world.owner, name.name, fact, folder, parts=PARTS, group_rows=GROUP_ROWS)
        for name, fact in facts.items()
    }
    yield Campaign(world, Runs(world.oracle, engine, files))

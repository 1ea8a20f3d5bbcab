"""A query as the service takes it, and what it answers with."""

import json
from dataclasses import dataclass, field

from query.decision import Engine
from query.fragment import ColumnType


@dataclass(frozen=True)
class QueryInput:
    """A checked request: `params` in PostgreSQL's text format, limits within the ceilings.

    `partitions` None: as many as are worth it.
    """

    sql: str
    params: tuple[str | None, ...]
    timeout_s: float
    max_rows: int
    engine: Engine = "auto"
    partitions: int | None = None


@dataclass(frozen=True)
class Timings:
    """Where the time went, in milliseconds; what did not happen took 0.

    `postgresql` is the part of `total` that was spent waiting for PostgreSQL: by the query's own
    connection, and by the fragment that waited longest.
    """

    plan: float = 0.0
    queue: float = 0.0
    execute: float = 0.0
    merge: float = 0.0
    total: float = 0.0
    postgresql: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A query's answer.  Values are text as PostgreSQL writes it; `types` name each column's type.

    `mode` is "direct", "partitioned", "columnar" or "mixed", `reason` says why, for people.  Of its
    partials `kept_partials` were computed before.
    """

    columns: tuple[ColumnType, ...]
    types: tuple[str, ...]
    rows: list[tuple[str | None, ...]]
    truncated: bool
    mode: str
    reason: str
    fragments: int
    snapshot: str
    timings: Timings = field(default_factory=Timings)
    kept_partials: int = 0


def as_text(value: str | float | bool | None) -> str | None:
    """Return a parameter, as JSON has it, in PostgreSQL's text format."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)

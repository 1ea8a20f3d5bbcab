"""An asynchronous query, as it is kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, cast

from app.queries.request import QueryInput

State = Literal["queued", "running", "done", "failed", "cancelled"]
FINISHED: frozenset[State] = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True)
class AsyncQuery:
    """One row, without its result.  Times are ISO 8601; `problem` is a problem document.

    `attempts` counts how often a replica began to run it.  `origin`: under which ids it is logged
    and traced.
    """

    id: str
    request: QueryInput
    state: State
    attempts: int
    fragments_done: int
    fragments_total: int
    row_count: int | None
    problem: dict[str, Any] | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None
    origin: Mapping[str, str]

    @classmethod
    def read(cls, row: Sequence[str | None]) -> Self:
        """Return the query of a row of the columns in store.COLUMNS."""
        query_id, request, state, attempts, done, total, row_count, problem, *rest = row
        created_at, started_at, finished_at, expires_at, origin = rest
        values = json.loads(request or "{}")
        return cls(
            query_id or "",
            QueryInput(**values | {"params": tuple(values["params"])}),
            cast("State", state),
            int(attempts or 0),
            int(done or 0),
            int(total or 0),
            None if row_count is None else int(row_count),
            None if problem is None else json.loads(problem),
            created_at or "",
            started_at,
            finished_at,
            expires_at,
            json.loads(origin or "{}"),
        )


def request_text(query: QueryInput) -> str:
    """Return the request as JSON, always the same for the same request."""
    return json.dumps(asdict(query), sort_keys=True)

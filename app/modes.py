"""In which modes a replica works now, and why.  Pure: from facts that are known without asking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from db.breaker import BreakerState

ModeName = Literal[
    "no_database", "breaker_forced", "read_only_database", "database_busy", "no_redis",
    "no_workers", "no_cache", "overloaded", "draining",
]  # fmt: skip
MODES: tuple[ModeName, ...] = get_args(ModeName)

# what a mode means for who sends requests; docs/trouble.md says what an operator does
MEANINGS: Mapping[ModeName, str] = {
    "no_database": "Answers that are cached are given, marked as stale; other queries, jobs and "
    "stored digests get 503 with Retry-After, at once. Hashing that stores nothing works.",
    "breaker_forced": "An operator keeps PostgreSQL out of use: as in no_database.",
    "read_only_database": "Queries and hashing work. Jobs, asynchronous queries, uploads and "
    "stored digests are not accepted.",
    "database_busy": "All connections to PostgreSQL are in use, and requests wait for one; who "
    "waits too long gets 503.",
    "no_redis": "Queries run direct, and answers are cached in PostgreSQL. Jobs are accepted, and "
    "begun a little later. Passwords get 503.",
    "no_workers": "Queries run direct. Jobs are accepted and wait. Passwords get 503.",
    "no_cache": "No answer is kept or given again: each query is computed.",
    "overloaded": "Requests that could not be served in time are refused at once, with 503 and "
    "Retry-After.",
    "draining": "The replica finishes what it has, and is being stopped.",
}


@dataclass(frozen=True)
class Facts:
    """What is known just now.

    A `…_problem` is None while all is well, and before the first check.  `takers`: live workers
    that take tasks, None while that is not known.  `forced`, `overloaded`: why, or None.
    `reasons`: what is known besides, in words for the log.
    """

    draining: bool = False
    database_problem: str | None = None
    breaker: BreakerState = "closed"
    forced: str | None = None
    read_only: bool = False
    pool_max: int = 0
    pool_in_use: int = 0
    pool_waiting: int = 0
    redis_problem: str | None = None
    takers: int | None = None
    has_cache: bool = True
    overloaded: str | None = None
    reasons: Mapping[ModeName, str] = field(default_factory=dict)


def causes(facts: Facts) -> dict[ModeName, str]:
    """Return the modes that are on, in the order of MODES, each with its cause."""
    found: dict[ModeName, str | None] = {
        "no_database": _no_database(facts),
        "breaker_forced": facts.forced,
        "read_only_database": "PostgreSQL takes no changes" if facts.read_only else None,
        "database_busy": _database_busy(facts),
        "no_redis": facts.redis_problem,
        # without Redis nobody knows of workers: that is one mode, not two
        "no_workers": "no worker takes tasks"
        if facts.takers == 0 and facts.redis_problem is None
        else None,
        "no_cache": None if facts.has_cache else "neither Redis nor PostgreSQL keeps answers",
        "overloaded": facts.overloaded,
        "draining": "the replica was told to stop" if facts.draining else None,
    }
    return {name: cause for name in MODES if (cause := found[name]) is not None}


def _no_database(facts: Facts) -> str | None:
    if facts.forced is not None:
        return None
    if facts.breaker == "open":
        return facts.database_problem or "the breaker is open: PostgreSQL has failed repeatedly"
    return facts.database_problem


def _database_busy(facts: Facts) -> str | None:
    if facts.pool_waiting == 0 or facts.pool_in_use < facts.pool_max:
        return None
    return f"all {facts.pool_max} connections are in use, and {facts.pool_waiting} requests wait"

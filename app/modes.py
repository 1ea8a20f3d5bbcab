"""In which modes a replica works now, and why.  Pure: from facts that are known without asking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from db.breaker import BreakerState
from db.breaker import Mode as Command

ModeName = Literal[
    "no_database", "breaker_held_open", "breaker_held_closed", "no_ledger", "read_only_database",
    "database_busy", "no_redis", "no_workers", "no_cache", "overloaded", "draining",
]  # fmt: skip
MODES: tuple[ModeName, ...] = get_args(ModeName)

# what a mode means for who sends requests; docs/trouble.md says what an operator does
MEANINGS: Mapping[ModeName, str] = {
    "no_database": "Answers that are cached are given, marked as stale; other queries, jobs and "
    "stored digests get 503 with Retry-After, at once. Hashing that stores nothing works.",
    "breaker_held_open": "An operator keeps PostgreSQL out of use: as in no_database.",
    "breaker_held_closed": "An operator has PostgreSQL asked even while it fails: requests may "
    "wait for all of their time.",
    "no_ledger": "Queries and hashing work. Jobs, asynchronous queries, uploads and stored digests "
    "get 503 with Retry-After.",
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

_HELD = "an operator decided so"


@dataclass(frozen=True)
class Facts:
    """What is known just now.

    A `…_problem` is None while all is well, and before the first check.  `takers`: live workers
    that take tasks, None while that is not known.  `own_…` is of the pool for our own tables,
    `commanded` an operator's order to the breaker.  `overloaded`: why, or None.
    `reasons`: what is known besides, in words for the log.
    """

    draining: bool = False
    database_problem: str | None = None
    breaker: BreakerState = "closed"
    commanded: Command = "auto"
    own_breaker: BreakerState = "closed"
    own_problem: str | None = None
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
        "breaker_held_open": _HELD if facts.commanded == "open" else None,
        "breaker_held_closed": _HELD if facts.commanded == "closed" else None,
        "no_ledger": _no_ledger(facts),
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
    if facts.commanded == "open":
        return None
    if facts.breaker == "open":
        return facts.database_problem or "the breaker is open: PostgreSQL has failed repeatedly"
    return facts.database_problem


def _no_ledger(facts: Facts) -> str | None:
    """Return why Millrace's own tables cannot be reached, where users' can."""
    if facts.read_only or facts.commanded == "open" or _no_database(facts) is not None:
        return None
    if facts.own_breaker == "open":
        return facts.own_problem or "the breaker of Millrace's own tables is open"
    return facts.own_problem


def _database_busy(facts: Facts) -> str | None:
    if facts.pool_waiting == 0 or facts.pool_in_use < facts.pool_max:
        return None
    return f"all {facts.pool_max} connections are in use, and {facts.pool_waiting} requests wait"

"""Where the facts about modes come from; none of them is asked of a server."""

from collections.abc import Callable

from app.cache.stores import Stores
from app.checks import POSTGRESQL, READ_ONLY, REDIS, WRITES
from app.modes import Facts
from app.readiness import Readiness
from db.database import Database
from tasks.dispatcher import Dispatcher


def _nothing() -> None:
    """Know of no reason."""


class ModeFacts:
    """Called for the facts of now.

    `overloaded` tells why requests are being refused; None: they are not.
    """

    def __init__(
        self,
        readiness: Readiness,
        database: Database,
        own: Database,
        dispatcher: Dispatcher,
        stores: Stores,
        *,
        is_caching: bool,
        overloaded: Callable[[], str | None] = _nothing,
    ) -> None:
        self._readiness = readiness
        self._database = database
        self._own = own
        self._dispatcher = dispatcher
        self._stores = stores
        self._is_caching = is_caching
        self._overloaded = overloaded

    def __call__(self) -> Facts:
        """Return them."""
        pool, writes = self._database.status(), self._found(WRITES)
        return Facts(
            draining=self._readiness.state() == "draining",
            database_problem=self._found(POSTGRESQL),
            breaker=pool.breaker,
            own_breaker=self._own.status().breaker,
            commanded=self._database.breaker.mode,
            own_problem=writes if writes != READ_ONLY else None,
            read_only=writes == READ_ONLY,
            pool_max=pool.max_size,
            pool_in_use=pool.in_use,
            pool_waiting=pool.waiting,
            redis_problem=self._found(REDIS),
            takers=self._dispatcher.known_takers,
            has_cache=self._stores.mode != "off" or not self._is_caching,
            overloaded=self._overloaded(),
            reasons={
                "no_database": self._readiness.reason(POSTGRESQL),
                "no_redis": self._readiness.reason(REDIS),
            },
        )

    def _found(self, check: str) -> str | None:
        """Return the problem that a check found; before its first run nothing is known."""
        state = self._readiness.checks()[check]
        return None if state.age_s is None else state.problem

"""Which attempts at a task PostgreSQL's absence ended, and not the task itself."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from db.errors import ConnectionLost, DatabaseError, DatabaseUnavailable, TooSlow
from db.sqlstate import sqlstate_of
from jobs.ledger import Ledger
from jobs.record import TaskClaim

PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0
MOST_OUTAGES = 10  # that may end attempts at one task for nothing, where the task may be the cause

# A crash ends all sessions within milliseconds, but not at once: the first to know of it may still
# find others that answer, or a server that has not yet begun to refuse.
LOOKS = 4
BETWEEN_LOOKS_S = 0.1

_FULL = "53"  # no room on the disk, no memory, no connection left


class Outages:
    """For the attempts of one worker.

    `pools` are names of those that reach our own PostgreSQL; what else a job reads is its user's
    to keep up.  `pause` waits for so many seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        pools: AbstractSet[str],
        random_share: Callable[[], float],
        pause: Callable[[float], object],
    ) -> None:
        self._ledger = ledger
        self._pools = pools
        self._random_share = random_share
        self._pause = pause

    def ended(self, claim: TaskClaim, error: Exception) -> bool:
        """Tell whether the attempt that raised `error` is to be given back.

        What PostgreSQL did not begin, since it could not be reached or takes no writes, says
        nothing about the task: it waits, however often that happens.

        A connection that was lost on the way may have been lost by the task, whose query ends its
        own session or the whole server.  So the server must be away for others, too; and since a
        query that brings it down each time fulfils even that, only `MOST_OUTAGES` are free.
        """
        if not isinstance(error, DatabaseError) or error.pool not in self._pools:
            return False
        if isinstance(error, DatabaseUnavailable) and not isinstance(
            error, (ConnectionLost, TooSlow)
        ):
            return True
        if claim.outages >= MOST_OUTAGES:
            return False
        is_full = (sqlstate_of(error) or "").startswith(_FULL)
        return is_full or self._ledger.was_away or self._is_away()

    def pause_s(self, claim: TaskClaim) -> float:
        """Return the seconds until the next attempt: longer each time, half of it by chance."""
        ceiling = min(LONGEST_PAUSE_S, PAUSE_S * 2.0 ** min(claim.outages, MOST_OUTAGES))
        return ceiling * (0.5 + self._random_share() / 2)

    def _is_away(self) -> bool:
        for look in range(LOOKS):
            if look:
                self._pause(BETWEEN_LOOKS_S)
            if not self._ledger.answers():
                return True
        return False

"""What the loops do while Redis is away: wait longer each time, and tell of it once."""

import random
import threading
import time
from collections.abc import Callable

import redis
import structlog

from tasks.errors import QueueUnavailable
from tasks.events import OnEvent, unheard
from tasks.link import Link, borrowed

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 2.0

_log = structlog.get_logger(__name__)


class Outage:
    """One process's view of an outage, shared by all its loops.

    It begins with the first loop that fails and ends when the last of them works again; one event
    is told of each, however often which loop fails.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        random_share: Callable[[], float] = random.random,
        on_event: OnEvent = unheard,
    ) -> None:
        self._monotonic = monotonic
        self._random_share = random_share
        self._on_event = on_event
        self._lock = threading.Lock()
        self._failing: set[str] = set()
        self._since = 0.0

    def failed(self, loop: str, error: Exception, tries: int) -> float:
        """Note a failure; return how many seconds to wait after `tries` failures before this one.

        One failure alone is no outage: a connection that was idle while Redis restarted looks the
        same.  Jittered: after an outage not all workers come back in the same moment.
        """
        if tries > 0:
            self._begin(loop, error)
        longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(tries, 10))
        return FIRST_DELAY_S + longest * self._random_share()

    def _begin(self, loop: str, error: Exception) -> None:
        with self._lock:
            begins = not self._failing
            self._failing.add(loop)
            if begins:
                self._since = self._monotonic()
        if begins:
            self._on_event("redis_outage_began", str(error), loop=loop)

    def over(self, loop: str) -> None:
        """Note that this loop works."""
        if loop not in self._failing:  # read without the lock: this runs after every task
            return
        with self._lock:
            self._failing.discard(loop)
            ends = not self._failing
        if ends:
            after_s = round(self._monotonic() - self._since, 3)
            self._on_event("redis_outage_ended", "all loops work again", after_s=after_s)


def repeat(
    step: Callable[[Link], None],
    *,
    client: redis.Redis,
    loop: str,
    finished: Callable[[], bool],
    pause: Callable[[float], object],
    outage: Outage,
) -> None:
    """Take one step after another over one connection until `finished`; survive every error.

    After a failure the steps go on over a new connection.  `pause(seconds)` waits.
    """
    tries = 0
    while not finished():
        try:
            with borrowed(client) as link:
                while not finished():
                    step(link)
                    tries = 0
                    outage.over(loop)
        except QueueUnavailable as error:
            pause(outage.failed(loop, error, tries))
            tries += 1
        except Exception as error:  # noqa: BLE001
            # a bug: it must show, but a loop that ends in silence would be worse
            _log.exception("loop failed", loop=loop)
            pause(outage.failed(loop, error, tries))
            tries += 1

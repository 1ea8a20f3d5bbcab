"""When a failed attempt is made again elsewhere."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

# connect: nothing was sent.  closed: sent, and the connection ended before a byte of an answer.
# silent: sent, and the backend has stopped to answer anything, even checks.
# overloaded: the backend refused it unread, and did nothing.
Failure = Literal["connect", "closed", "silent", "overloaded"]

# RFC 9110 section 9.2.2; CONNECT and TRACE are never passed on
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))

# tells a replica that another one was sent this request: what is counted may have been done
REPEATED = b"X-Millrace-Repeated: 1\r\n"


@dataclass(frozen=True)
class RetryPolicy:
    """`safe_paths`: POST to them changes nothing, so it may be sent twice."""

    max_retries: int
    safe_paths: frozenset[bytes]

    def allows(
        self, failure: Failure, *, method: bytes, target: bytes, replayable: bool, retries: int
    ) -> bool:
        """Tell whether a request that was retried `retries` times may be once more.

        `replayable`: we still have the whole request.
        """
        if retries >= self.max_retries:
            return False
        if failure == "connect":
            return True
        return replayable and (
            failure == "overloaded"
            or method in IDEMPOTENT
            or (method == b"POST" and target.partition(b"?")[0] in self.safe_paths)
        )


class RetryBudget:
    """Keeps retries from multiplying the load of backends that are failing already.

    At most `ratio` of the active requests are retries at once, though `minimum` always may be.
    Those beyond wait for their turn: when a backend with many requests dies, all of them are
    retried, a few at a time.
    """

    def __init__(self, *, ratio: float, minimum: int) -> None:
        self._ratio = ratio
        self._minimum = minimum
        self._waiting: deque[Callable[[], bool]] = deque()
        self.retrying = 0

    def enter(self, active: int, begin: Callable[[], bool]) -> None:
        """Call `begin` when the budget allows: now or later.

        `begin` returns False when the request has ended meanwhile; else leave() must follow.
        `active`: requests that the balancer has now.
        """
        self._waiting.append(begin)
        self._admit(active)

    def has_room(self, active: int) -> bool:
        """Tell whether a retry could begin now."""
        return not self._waiting and self.retrying < max(self._minimum, self._ratio * active)

    def leave(self, active: int) -> None:
        """End a retry that was begun."""
        self.retrying -= 1
        self._admit(active)

    def _admit(self, active: int) -> None:
        while self._waiting and self.retrying < max(self._minimum, self._ratio * active):
            self.retrying += 1
            if not self._waiting.popleft()():
                self.retrying -= 1

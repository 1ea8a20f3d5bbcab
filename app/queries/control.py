"""A query on its way: who it is, how long it may take, and how it learns that nobody waits."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from app.queries.errors import Cancelled, DeadlinePassed

Cause = Literal["client gone", "deleted", "stopping"]

REPEAT_S = 0.05
LONGEST_REPEAT_S = 0.5


class Control:
    """Shared by the thread that runs a query and those that may end it.

    `deadline` is by the monotonic clock: one budget for all stages.  `fragments_done` of
    `fragments_total` tell how far a partitioned query is.
    """

    def __init__(
        self, query_id: str, timeout_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.query_id = query_id
        self.deadline = monotonic() + timeout_s
        self.fragments_done = 0
        self.fragments_total = 0
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self._callbacks: list[Callable[[], None]] = []
        self._cause: Cause | None = None

    @property
    def cause(self) -> Cause | None:
        """Why the query was cancelled; None while its answer is wanted."""
        return self._cause

    def remaining_s(self) -> float:
        """Seconds until the deadline.  Raises Cancelled, and DeadlinePassed when none is left."""
        if self._cause is not None:
            raise Cancelled(self._cause)
        remaining_s = self.deadline - self._monotonic()
        if remaining_s <= 0:
            raise DeadlinePassed
        return remaining_s

    def cancel(self, cause: Cause) -> bool:
        """End the query, from any thread; False if it was cancelled before.

        Returns at once.  A request to cancel that meets PostgreSQL between two statements has no
        effect there, so it is repeated until the query has left what it was doing.
        """
        with self._lock:
            if self._cause is not None:
                return False
            self._cause = cause
            if self._callbacks:
                name = f"cancel-{self.query_id[:40]}"
                threading.Thread(target=self._insist, name=name, daemon=True).start()
        return True

    @contextmanager
    def cancelling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have `callback` called, again and again, if the query is cancelled inside this context.

        It is never called after the context was left.  Raises Cancelled at once for a query that
        is cancelled already.  The callback runs in another thread; it must not raise, nor enter
        or leave such a context.
        """
        with self._lock:
            if self._cause is not None:
                raise Cancelled(self._cause)
            self._callbacks.append(callback)
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)
                self._left.notify_all()

    def _insist(self) -> None:
        pause_s = REPEAT_S
        with self._lock:
            while self._callbacks:
                # under the lock: what a callback cancels may be another one's work a moment later
                for callback in self._callbacks:
                    callback()
                self._left.wait_for(lambda: not self._callbacks, pause_s)
                pause_s = min(2 * pause_s, LONGEST_REPEAT_S)

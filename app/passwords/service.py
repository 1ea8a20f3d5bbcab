"""Sends password work to the workers and waits for what comes of it."""

import threading
from collections.abc import Callable

from app.passwords.errors import PasswordsBusy, WorkerFailed
from app.passwords.metrics import PasswordMetrics
from hashing.passwords.scheme import Limits
from hashing.passwords.work import Outcome, Work, WorkMalformed
from tasks.dispatcher import Dispatcher, new_reply_to
from tasks.errors import MessageMalformed, QueueError, QueueFull
from tasks.message import Reply
from tasks.seal import Seal
from telemetry.carrier import outgoing
from telemetry.spans import span

FIRST_GUESS_S = 0.5  # of the time of one, before any was seen
MOST_RETRY_AFTER_S = 60.0


class Passwords:
    """Has passwords hashed by workers, never here: a few would take all of a replica's time.

    `key` returns the sealing key.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        key: Callable[[], bytes],
        limits: Limits,
        timeout_s: float,
        max_waiting: int,
        metrics: PasswordMetrics,
    ) -> None:
        self.timeout_s = timeout_s
        self._dispatcher = dispatcher
        self._key = key
        self._limits = limits
        self._max_waiting = max_waiting
        self._metrics = metrics
        self._lock = threading.Lock()
        self._waiting = 0

    def perform(self, work: Work, timeout_s: float) -> Outcome:
        """Return what came of `work`.

        Raises PasswordError when it is refused, before it is queued if that can be told so early;
        OutOfService when the worker's scheme failed its self-test;
        PasswordsBusy, WorkerFailed, db.errors, and tasks.errors: NoWorkers, QueueUnavailable,
        GatherTimeout.
        """
        with self._metrics.counting(work.scheme.name):
            return self._perform(work, timeout_s)

    def _perform(self, work: Work, timeout_s: float) -> Outcome:
        work.check(self._limits)
        self._enter()
        try:
            seal, name = Seal(self._key()), new_reply_to()
            sealed = seal.close("password task", name, work.encode())
            outcome = self._opened(seal, name, self._answer(sealed, name, timeout_s))
        finally:
            self._leave()
        outcome.raise_refusal()
        return outcome

    def _enter(self) -> None:
        with self._lock:
            if self._waiting < self._max_waiting:
                self._resize(1)
                return
        most = f"A process waits for at most {self._max_waiting} (MILLRACE_PASSWORD_MAX_WAITING)."
        raise PasswordsBusy(most, self._retry_after_s(self._max_waiting))

    def _leave(self) -> None:
        with self._lock:
            self._resize(-1)

    def _resize(self, by: int) -> None:
        self._waiting += by
        self._metrics.waiting(self._waiting)

    def _answer(self, sealed: bytes, name: str, timeout_s: float) -> Reply:
        try:
            sent = self._dispatcher.scatter(
                [sealed], timeout_s=timeout_s, reply_to=name, headers=outgoing()
            )
            with sent as scatter, span("gather"):
                return next(scatter.gather())
        except QueueFull as error:
            queued = (
                f"{error.length} passwords are queued already, more than may be "
                "(MILLRACE_PASSWORD_MAX_QUEUED) or can be hashed in time."
            )
            raise PasswordsBusy(queued, self._retry_after_s(error.length)) from error

    def _opened(self, seal: Seal, name: str, reply: Reply) -> Outcome:
        if reply.error is not None:
            raise WorkerFailed(f"The password was not hashed: {reply.error}.")
        try:
            return Outcome.decode(seal.open("password answer", name, reply.payload))
        except (MessageMalformed, WorkMalformed) as error:
            raise WorkerFailed("The answer was changed on its way, and is refused.") from error

    def _retry_after_s(self, waiting: int) -> float:
        """Return how long it takes until those who wait have been served, at a guess."""
        try:
            capacity = self._dispatcher.capacity()
        except QueueError:
            return min(MOST_RETRY_AFTER_S, waiting * FIRST_GUESS_S)
        if capacity.rate is None:
            return min(MOST_RETRY_AFTER_S, waiting * FIRST_GUESS_S / max(1, capacity.slots))
        return min(MOST_RETRY_AFTER_S, capacity.wait_s(waiting))
